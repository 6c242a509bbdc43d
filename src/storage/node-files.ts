import { randomUUID } from 'node:crypto'
import { open, readFile, rename, unlink } from 'node:fs/promises'

/** Reads a file as text; gives `undefined` for a file that does not exist. */
export function readTextIfThere(file: string): Promise<string | undefined> {
  return ifThere(readFile(file, 'utf8'))
}

/** Removes a file that another process may have removed. */
export async function unlinkIfThere(file: string): Promise<void> {
  await ifThere(unlink(file))
}

/** Waits for an operation on a file; gives `undefined` if the file does not exist. */
export async function ifThere<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/**
 * Puts a file in place in one step: a crash leaves the old one or the new one. Which of them is not
 * settled before the folder is synced. `draft` is the file that is written first, in the same folder.
 */
export async function replaceFile(
  file: string,
  content: string | Uint8Array,
  draft = `${file}~${randomUUID()}`,
): Promise<void> {
  try {
    const handle = await open(draft, 'wx', 0o600)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(draft, file)
  } catch (error) {
    await unlink(draft).catch(() => {})
    throw error
  }
}

/** Makes the names of a folder's new files survive a crash. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows opens no folder, and needs none of this.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Tells one of Node's errors by its code. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
