import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { expect, it } from 'vitest'
import { analyzePhoto } from '../../../examples/dashboard/photos/analyze.js'
import { hammingDistance } from '../../../examples/dashboard/photos/hash.js'
import { nearDuplicateDistance } from '../../../examples/dashboard/photos/near-duplicates.js'
import { generatePictures, type PictureKind } from '../../../examples/dashboard/photos/pictures.js'
import { temporaryFolder } from './temporary-folder.js'

async function analyzeGenerated(count: number) {
  const folder = await temporaryFolder()
  const pictures = await generatePictures({ folder, seed: 'analyze', count })
  return Promise.all(
    pictures.map(async (picture) => ({ ...picture, result: await analyzePhoto(picture.path) })),
  )
}

async function analyzed(path: string) {
  const result = await analyzePhoto(path)
  if (!result.ok) throw new Error(result.message)
  return result
}

it('tells good, blurred, under- and overexposed pictures from each other', async () => {
  const expected: Record<Exclude<PictureKind, 'corrupt'>, string[]> = {
    plain: [],
    nearDuplicate: [],
    turned: [],
    blurred: ['blurred'],
    blurredDuplicate: ['blurred'],
    underexposed: ['underexposed'],
    overexposed: ['overexposed'],
  }
  for (const { path, kind, result } of await analyzeGenerated(24)) {
    if (kind === 'corrupt') continue
    const faults = expected[kind]
    const verdict = faults.length === 0 ? 'keep' : 'reject'
    expect(result, path).toMatchObject({ ok: true, faults, verdict })
  }
})

it('gives a picture less sharpness the more it is blurred, and the same however bright', async () => {
  const folder = await temporaryFolder()
  const [plain] = await generatePictures({ folder, seed: 'blur', count: 1 })
  const sharpnessOf = async (change: (image: Sharp) => Sharp) => {
    const path = join(folder, 'changed.png')
    await change(sharp(plain?.path)).png().toFile(path)
    return (await analyzed(path)).sharpness
  }
  const asIs = await sharpnessOf((image) => image)
  const blurs = [asIs]
  for (const sigma of [1, 2, 4, 8]) blurs.push(await sharpnessOf((image) => image.blur(sigma)))
  expect(blurs).toEqual([...blurs].sort((a, b) => b - a))
  expect(new Set(blurs).size).toBe(5)
  // Halved contrast is exact but for rounding to whole grey steps.
  expect(await sharpnessOf((image) => image.linear(0.5, 60))).toBeCloseTo(asIs, 1)
})

it('measures mean and clipping as shares of the whole picture', async () => {
  const folder = await temporaryFolder()
  const path = join(folder, 'thirds.png')
  const stripes = Buffer.from([0, 128, 255])
  await sharp(stripes, { raw: { width: 3, height: 1, channels: 1 } })
    .resize(300, 100, { kernel: 'nearest' })
    .toFile(path)
  const { exposure, width, height } = await analyzed(path)
  expect({ width, height }).toEqual({ width: 300, height: 100 })
  expect(exposure.clippedShadows).toBeCloseTo(1 / 3)
  expect(exposure.clippedHighlights).toBeCloseTo(1 / 3)
  expect(exposure.mean).toBeCloseTo((0 + 128 + 255) / 3 / 255)
  expect(exposure.verdict).toBe('good')
})

it('hashes looks at one scene alike and other scenes apart', async () => {
  let sameSceneCount = 0
  let otherSceneCount = 0
  const pictures = await analyzeGenerated(24)
  for (const [index, a] of pictures.entries()) {
    for (const b of pictures.slice(0, index)) {
      if (!a.result.ok || !b.result.ok) continue
      const distance = hammingDistance(a.result.hash, b.result.hash)
      if (a.scene === b.scene) {
        sameSceneCount++
        expect(distance, `${a.path} ${b.path}`).toBeLessThanOrEqual(nearDuplicateDistance)
      } else {
        otherSceneCount++
        expect(distance, `${a.path} ${b.path}`).toBeGreaterThan(nearDuplicateDistance)
      }
    }
  }
  expect({ sameSceneCount, otherSceneCount }).toEqual({ sameSceneCount: 9, otherSceneCount: 244 })
})

it('counts differing bits over both halves of a hash', () => {
  expect(hammingDistance('0000000000000000', 'ffffffffffffffff')).toBe(64)
  expect(hammingDistance('8000000000000001', '0000000000000000')).toBe(2)
  expect(hammingDistance('00000000f0000000', '0000000070000000')).toBe(1)
  expect(hammingDistance('0123456789abcdef', '0123456789abcdef')).toBe(0)
})

it('turns a picture by its EXIF orientation before it measures', async () => {
  const folder = await temporaryFolder()
  const pictures = await generatePictures({ folder, seed: 'turned', count: 9 })
  const turned = pictures.find(({ kind }) => kind === 'turned')?.path ?? ''
  expect(await sharp(turned).metadata()).toMatchObject({ width: 720, height: 480, orientation: 6 })

  const upright = join(folder, 'upright.png')
  await sharp(turned).autoOrient().toFile(upright)
  const result = await analyzed(turned)
  expect(result).toMatchObject({ width: 480, height: 720 })
  expect(result.hash).toBe((await analyzed(upright)).hash)
})

it.each(['jpeg', 'png', 'webp', 'tiff', 'avif', 'gif'] as const)('decodes %s', async (format) => {
  const folder = await temporaryFolder()
  const [plain] = await generatePictures({ folder, seed: 'formats', count: 1 })
  const path = join(folder, `photo.${format}`)
  const bytes = await sharp(plain?.path).resize(240).toFormat(format).toBuffer()
  await writeFile(path, bytes)
  expect(await analyzed(path)).toMatchObject({ width: 240, height: 160, verdict: 'keep' })

  await writeFile(path, bytes.subarray(0, Math.floor(bytes.length / 2)))
  expect(await analyzePhoto(path)).toMatchObject({ ok: false, reason: 'undecodable' })
})

it('scales 16-bit pictures down and lays see-through ones on grey', async () => {
  const folder = await temporaryFolder()
  const deep = join(folder, 'deep.png')
  const size = { width: 64, height: 64 }
  await sharp(new Uint16Array(64 * 64 * 3).fill(0xc000), { raw: { ...size, channels: 3 } })
    .toColourspace('rgb16')
    .toFile(deep)
  expect((await sharp(deep).metadata()).depth).toBe('ushort')
  expect((await analyzed(deep)).exposure.mean).toBeCloseTo(0.75, 1)

  const glass = join(folder, 'glass.png')
  await sharp({ create: { ...size, channels: 4, background: '#ffffff00' } }).toFile(glass)
  expect((await analyzed(glass)).exposure.mean).toBeCloseTo(0.5, 2)
})

it('measures flat and tiny pictures without dividing by nothing', async () => {
  const folder = await temporaryFolder()
  const path = join(folder, 'flat.png')
  for (const [width, height] of [
    [1, 1],
    [2, 40],
    [40, 30],
  ] as const) {
    await sharp({ create: { width, height, channels: 3, background: '#000' } }).toFile(path)
    expect(await analyzed(path)).toMatchObject({
      sharpness: 0,
      hash: '0000000000000000',
      faults: ['blurred', 'underexposed'],
    })
  }
})

it('gives a file that is missing, empty, a folder or no image as data', async () => {
  const folder = await temporaryFolder()
  const empty = join(folder, 'empty.jpg')
  const text = join(folder, 'text.jpg')
  await writeFile(empty, '')
  await writeFile(text, 'not a picture at all')
  expect(await analyzePhoto(join(folder, 'missing.jpg'))).toMatchObject({ reason: 'unreadable' })
  expect(await analyzePhoto(folder)).toMatchObject({ reason: 'unreadable' })
  expect(await analyzePhoto(empty)).toMatchObject({ ok: false, reason: 'undecodable' })
  expect(await analyzePhoto(text)).toMatchObject({ ok: false, reason: 'undecodable' })
})

it('rejects with the reason when aborted beforehand or while the file is read', async () => {
  const reason = new Error('enough')
  await expect(analyzePhoto('any.jpg', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)

  const controller = new AbortController()
  const analysis = analyzePhoto(join(await temporaryFolder(), 'any.jpg'), controller)
  controller.abort(reason)
  await expect(analysis).rejects.toBe(reason)
})

it('rejects at once when aborted during a decode, which ends later and unheard', async () => {
  const folder = await temporaryFolder()
  const [plain] = await generatePictures({ folder, seed: 'abort', count: 1 })
  const reason = new Error('enough')
  const controller = new AbortController()
  const analysis = analyzePhoto(plain?.path ?? '', controller)
  // sharp tells when a decode is handed to a thread, and again when it is done.
  await once(sharp.queue, 'change')
  const decoded = once(sharp.queue, 'change')
  controller.abort(reason)
  const first = await Promise.race([decoded, analysis.catch((error: unknown) => error)])
  expect(first).toBe(reason)
  await decoded
})
