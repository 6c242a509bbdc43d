import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { createRandom } from './random.js'
import { paintScene, type Subject, sceneMargin } from './scene.js'

/**
 * How a picture was changed on purpose; a duplicate shows the scene of the `plain` one before it.
 */
export type PictureKind =
  | 'plain'
  | 'nearDuplicate'
  | 'blurredDuplicate'
  | 'underexposed'
  | 'overexposed'
  | 'turned'
  | 'blurred'
  | 'corrupt'

/** A written picture: its path (relative if `folder` was), the name of its shoot, and its scene. */
export type GeneratedPicture = { path: string; shoot: string; scene: string; kind: PictureKind }

/** Options of `generatePictures`: a folder, a seed, and how many pictures to write, from 1. */
export type GenerateOptions = {
  folder: string
  seed: string | number
  count: number
  signal?: AbortSignal | undefined
}

const subjects = ['harbour', 'old-town', 'orchard'] as const satisfies readonly Subject[]

/**
 * The takes of each shoot, in order. A take that starts no scene shows the scene before it again.
 */
const takes = [
  { kind: 'plain', newScene: true, format: 'jpeg' },
  { kind: 'nearDuplicate', newScene: false, format: 'webp' },
  { kind: 'blurredDuplicate', newScene: false, format: 'jpeg' },
  { kind: 'plain', newScene: true, format: 'png' },
  { kind: 'underexposed', newScene: true, format: 'jpeg' },
  { kind: 'overexposed', newScene: true, format: 'jpeg' },
  { kind: 'turned', newScene: true, format: 'jpeg' },
  { kind: 'blurred', newScene: true, format: 'webp' },
] as const satisfies readonly { kind: PictureKind; newScene: boolean; format: Format }[]

type Format = 'jpeg' | 'png' | 'webp'
type PlannedPicture = {
  name: string
  shoot: Subject
  scene: string
  kind: PictureKind
  format: Format
}

/**
 * Writes a folder of small pictures to process: up to three shoots, one sub-folder each, of JPEG,
 * PNG and WebP files. The same seed and count give the same names and pixels.
 *
 * From 9 pictures on, each fault occurs at least once: near-duplicates, blurred, under- and
 * overexposed pictures, one whose pixels are rotated (EXIF orientation 6) and, as the last, a
 * truncated JPEG. `notes.txt` is no picture and does not count. Files of the same names are
 * overwritten, other files stay.
 *
 * Resolves to the written pictures, in the order of `findShoots`. Rejects with the signal's reason
 * when aborted (files written before that stay), with a RangeError for an invalid count, and with
 * the file system's error if the folder cannot be written.
 */
export async function generatePictures(options: GenerateOptions): Promise<GeneratedPicture[]> {
  const { folder, seed, count, signal } = options
  if (!Number.isInteger(count) || count < 1) {
    throw new RangeError(`count must be a whole number from 1, not ${count}`)
  }
  const written: GeneratedPicture[] = []
  for (const picture of planPictures(count)) {
    signal?.throwIfAborted()
    const { shoot, scene, kind } = picture
    const path = join(folder, shoot, picture.name)
    await mkdir(join(folder, shoot), { recursive: true })
    await writeFile(path, await takePicture(String(seed), picture))
    written.push({ path, shoot, scene, kind })
  }
  signal?.throwIfAborted()
  await writeFile(join(folder, 'notes.txt'), `Made from the seed ${seed}.\n`)
  return written
}

function planPictures(count: number): PlannedPicture[] {
  // A shoot starts only if it gets every take, so that a few pictures have all faults.
  const shootCount = Math.min(subjects.length, Math.max(1, Math.floor(count / takes.length)))
  const planned: PlannedPicture[] = []
  for (const [index, shoot] of subjects.slice(0, shootCount).entries()) {
    const end = Math.floor(((index + 1) * count) / shootCount)
    let scene = 0
    for (let number = 1; planned.length < end; number++) {
      const take = takes[(number - 1) % takes.length] ?? takes[0]
      if (take.newScene) scene++
      const isCorrupt = count > takes.length && planned.length === count - 1
      const { kind, format } = isCorrupt ? ({ kind: 'corrupt', format: 'jpeg' } as const) : take
      const extension = format === 'jpeg' ? 'jpg' : format
      const name = `IMG_${String(number).padStart(4, '0')}.${extension}`
      planned.push({ name, shoot, scene: `${shoot}/${scene}`, kind, format })
    }
  }
  return planned
}

async function takePicture(seed: string, picture: PlannedPicture): Promise<Buffer> {
  const { kind, format } = picture
  const random = createRandom(`${seed}/${picture.shoot}/${picture.name}`)
  const pixels = await exposeFilm(seed, picture, random)

  let image = sharp(pixels.data, { raw: pixels.info })
  switch (kind) {
    case 'plain':
    case 'corrupt':
      break
    case 'nearDuplicate':
      image = image.linear(1.08, 4)
      break
    case 'blurredDuplicate':
    case 'blurred':
      image = image.blur(random.between(4, 7))
      break
    case 'underexposed':
      image = image.linear(random.between(0.1, 0.2), -4)
      break
    case 'overexposed':
      image = image.linear(random.between(2.4, 3), 100)
      break
    case 'turned':
      image = image.rotate(270).withMetadata({ orientation: 6 })
      break
    default:
      kind satisfies never
  }
  const bytes = await image.toFormat(format, format === 'png' ? {} : { quality: 88 }).toBuffer()
  return kind === 'corrupt' ? bytes.subarray(0, Math.floor(bytes.length / 2)) : bytes
}

/** The scene as the camera's sensor sees it: with grain, and shifted a little in a later view. */
async function exposeFilm(
  seed: string,
  { kind, scene, shoot }: PlannedPicture,
  random: ReturnType<typeof createRandom>,
) {
  const isSecondLook = kind === 'nearDuplicate' || kind === 'blurredDuplicate'
  const move = () => (isSecondLook ? random.whole(-sceneMargin / 4, sceneMargin / 4) : 0)
  const size = kind === 'turned' ? { width: 480, height: 720 } : { width: 720, height: 480 }
  const view = { ...size, moveX: move(), moveY: move() }
  const svg = paintScene(`${seed}/${scene}`, shoot, view)
  const film = await sharp(Buffer.from(svg))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })

  for (let index = 0; index < film.data.length; index += 3) {
    const grain = random.between(-6, 6)
    for (let channel = index; channel < index + 3; channel++) {
      const value = (film.data[channel] ?? 0) + grain
      film.data[channel] = Math.min(255, Math.max(0, value))
    }
  }
  return film
}
