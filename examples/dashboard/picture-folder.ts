import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { generatePictures } from './photos/index.js'

/**
 * Gives a folder of photos to process: the user's own folder, or a folder within `temporary` that
 * is filled with generated pictures. Rejects with the signal's reason when aborted.
 */
export async function providePictures(
  wanted: { folder: string | undefined; pictures: number; seed: string },
  temporary: string,
  signal: AbortSignal,
): Promise<string> {
  if (wanted.folder !== undefined) return wanted.folder
  const folder = join(temporary, 'photos')
  await mkdir(folder)
  await generatePictures({ folder, seed: wanted.seed, count: wanted.pictures, signal })
  return folder
}
