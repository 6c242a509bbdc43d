import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generatePictures } from './photos/index.js'

/** A folder of photos to process. */
export type PictureFolder = AsyncDisposable & { readonly path: string }

/**
 * The user's own folder as it is, or a temporary one filled with made pictures, which goes away when
 * disposed. Rejects with the signal's reason when aborted, and leaves nothing then.
 */
export async function providePictures(
  wanted: { folder: string | undefined; pictures: number; seed: string },
  signal: AbortSignal,
): Promise<PictureFolder> {
  if (wanted.folder !== undefined) {
    return { path: wanted.folder, [Symbol.asyncDispose]: () => Promise.resolve() }
  }
  const temporary = await mkdtemp(join(tmpdir(), 'statewire-dashboard-'))
  const remove = () => rm(temporary, { recursive: true, force: true })
  try {
    const path = join(temporary, 'photos')
    await mkdir(path)
    await generatePictures({ folder: path, seed: wanted.seed, count: wanted.pictures, signal })
    return { path, [Symbol.asyncDispose]: remove }
  } catch (error) {
    await remove()
    throw error
  }
}
