import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import sharp from 'sharp'
import { expect, it } from 'vitest'
import { generatePictures } from '../../../examples/dashboard/photos/pictures.js'
import { temporaryFolder } from './temporary-folder.js'

async function generate(seed: string, count: number) {
  const folder = await temporaryFolder()
  const pictures = await generatePictures({ folder, seed, count })
  return pictures.map((picture) => ({ ...picture, name: relative(folder, picture.path) }))
}

const decode = (path: string) => sharp(path).removeAlpha().raw().toBuffer()

it('gives the same names and pixels for the same seed, and other pixels for another', async () => {
  const [first, again, other] = [
    await generate('one', 9),
    await generate('one', 9),
    await generate('two', 9),
  ]
  expect(again.map(({ name }) => name)).toEqual(first.map(({ name }) => name))

  const readable = first.filter(({ kind }) => kind !== 'corrupt')
  expect(readable).toHaveLength(8)
  for (const [index, { path }] of readable.entries()) {
    const pixels = await decode(path)
    expect(pixels.equals(await decode(again[index]?.path ?? ''))).toBe(true)
    expect(pixels.equals(await decode(other[index]?.path ?? ''))).toBe(false)
  }
})

it('makes every kind of picture in three formats from 9 pictures on', async () => {
  const pictures = await generate('kinds', 9)
  expect(pictures.map(({ kind }) => kind)).toEqual([
    'plain',
    'nearDuplicate',
    'blurredDuplicate',
    'plain',
    'underexposed',
    'overexposed',
    'turned',
    'blurred',
    'corrupt',
  ])
  const formats = pictures.map(async ({ path }) => (await sharp(path).metadata()).format)
  expect(new Set(await Promise.all(formats))).toEqual(new Set(['jpeg', 'png', 'webp']))
})

it('spreads 24 pictures over three shoots, with one file that is no picture', async () => {
  const folder = await temporaryFolder()
  const pictures = await generatePictures({ folder, seed: 3, count: 24 })
  expect(await readdir(folder)).toEqual(['harbour', 'notes.txt', 'old-town', 'orchard'])
  expect(new Set(pictures.map(({ path }) => path)).size).toBe(24)
  for (const shoot of ['harbour', 'old-town', 'orchard']) {
    expect(await readdir(join(folder, shoot))).toHaveLength(8)
  }
  expect(pictures.map(({ kind }) => kind).filter((kind) => kind === 'corrupt')).toHaveLength(1)
})

it('makes a single good picture when asked for one', async () => {
  const pictures = await generate('single', 1)
  expect(pictures).toMatchObject([{ shoot: 'harbour', kind: 'plain' }])
})

it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
  'refuses a count of %s',
  async (count) => {
    const options = { folder: '/nowhere', seed: 1, count }
    await expect(generatePictures(options)).rejects.toThrow(
      new RangeError(`count must be a whole number from 1, not ${count}`),
    )
  },
)

it('stops between pictures with the reason when aborted', async () => {
  const folder = await temporaryFolder()
  const reason = new Error('enough')
  const options = { folder, seed: 1, count: 9 }
  const beforehand = generatePictures({ ...options, signal: AbortSignal.abort(reason) })
  await expect(beforehand).rejects.toBe(reason)
  expect(await readdir(folder)).toEqual([])

  const controller = new AbortController()
  const underWay = generatePictures({ ...options, signal: controller.signal })
  controller.abort(reason)
  await expect(underWay).rejects.toBe(reason)
  expect(await readdir(folder, { recursive: true })).toEqual([
    'harbour',
    join('harbour', 'IMG_0001.jpg'),
  ])
})
