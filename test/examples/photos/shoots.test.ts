import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { findShoots } from '../../../examples/dashboard/photos/shoots.js'
import { temporaryFolder } from './temporary-folder.js'

async function folderWith(...files: string[]): Promise<string> {
  const folder = await temporaryFolder()
  for (const file of files) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), '')
  }
  return folder
}

async function shootsOf(folder: string) {
  const found = await findShoots(folder)
  if (!found.ok) throw new Error(found.message)
  return found.shoots
}

it('makes a shoot of the loose photos first, then of every sub-folder with photos', async () => {
  const folder = await folderWith(
    'b/2.jpg',
    'a/deep/er/1.png',
    'loose.webp',
    'a/0.gif',
    'bare/x.txt',
  )
  expect(await shootsOf(folder)).toEqual([
    { id: '.', name: basename(folder), folder, photos: [join(folder, 'loose.webp')] },
    { id: 'a', name: 'a', folder: join(folder, 'a'), photos: [join(folder, 'a/0.gif')] },
    {
      id: 'a/deep/er',
      name: 'a/deep/er',
      folder: join(folder, 'a/deep/er'),
      photos: [join(folder, 'a/deep/er/1.png')],
    },
    { id: 'b', name: 'b', folder: join(folder, 'b'), photos: [join(folder, 'b/2.jpg')] },
  ])
})

it('sorts photos and shoots by number where names have one', async () => {
  const folder = await folderWith(
    'day 10/1.jpg',
    'day 2/IMG_10.jpg',
    'day 2/IMG_9.jpg',
    'day 2/IMG_09.jpg',
  )
  const shoots = await shootsOf(folder)
  expect(shoots.map(({ id }) => id)).toEqual(['day 2', 'day 10'])
  expect(shoots[0]?.photos.map((path) => basename(path))).toEqual([
    'IMG_09.jpg',
    'IMG_9.jpg',
    'IMG_10.jpg',
  ])
})

it('takes photo extensions in any case and passes over the rest and what is hidden', async () => {
  const names = ['1.JPG', '2.jpeg', '3.PNG', '4.webp', '5.tif', '6.TIFF', '7.avif', '8.gif']
  const others = ['.hidden.jpg', '.trash/1.jpg', 'notes.txt', 'clip.mov', 'jpg', 'raw.jpg.xmp']
  const folder = await folderWith(...names, ...others)
  await mkdir(join(folder, 'album.jpg'))
  const shoots = await shootsOf(folder)
  expect(shoots).toHaveLength(1)
  expect(shoots[0]?.photos.map((path) => basename(path))).toEqual(names)
})

it('follows no symbolic link inside the folder: not in a loop, not out of it, not to a photo', async () => {
  const outside = await folderWith('secret.jpg')
  const folder = await folderWith('a/1.jpg')
  await symlink(folder, join(folder, 'a/loop'))
  await symlink(outside, join(folder, 'outside'))
  await symlink(join(outside, 'secret.jpg'), join(folder, 'a/2.jpg'))
  await symlink(join(folder, 'nothing'), join(folder, 'broken.jpg'))
  const shoots = await shootsOf(folder)
  expect(shoots.flatMap(({ photos }) => photos)).toEqual([join(folder, 'a/1.jpg')])
})

it('takes a folder that is itself a symbolic link', async () => {
  const target = await folderWith('1.jpg')
  const link = join(await temporaryFolder(), 'photos')
  await symlink(target, link)
  expect((await shootsOf(link)).flatMap(({ photos }) => photos)).toEqual([join(target, '1.jpg')])
})

it('says what is wrong with a folder that gives no shoots', async () => {
  const folder = await folderWith('empty/notes.txt')
  const missing = join(folder, 'missing')
  const file = join(folder, 'empty/notes.txt')
  const loop = join(folder, 'loop')
  await symlink(loop, loop)
  expect(await findShoots(missing)).toEqual({
    ok: false,
    reason: 'missing',
    message: `There is no folder ${missing}`,
  })
  expect(await findShoots(file)).toEqual({
    ok: false,
    reason: 'notAFolder',
    message: `${file} is not a folder`,
  })
  expect(await findShoots(folder)).toEqual({
    ok: false,
    reason: 'noPhotos',
    message: `${folder} holds no photos (.jpg .jpeg .png .webp .tif .tiff .avif .gif)`,
  })
  expect(await findShoots(loop)).toEqual({
    ok: false,
    reason: 'unreadable',
    message: `${loop} cannot be read: ELOOP`,
  })
})

it('rejects with the reason of an aborted signal', async () => {
  const reason = new Error('enough')
  const folder = await folderWith('1.jpg')
  await expect(findShoots(folder, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})
