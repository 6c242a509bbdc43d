import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

/** The built page, by the path of each file. It is in memory; nothing is written to disk. */
export type PageBundle = ReadonlyMap<string, { contentType: string; bytes: Buffer }>

const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Builds the page. Takes about a second; rejects with Vite's error. */
export async function buildPage(): Promise<PageBundle> {
  const built = await build({
    root: fileURLToPath(new URL('../page', import.meta.url)),
    configFile: false,
    logLevel: 'error',
    build: { write: false, target: 'es2022', modulePreload: false },
  })
  if (!('output' in built)) throw new TypeError('Vite gave something else than one build')
  const bundle = new Map<string, { contentType: string; bytes: Buffer }>()
  for (const file of built.output) {
    const path = file.fileName === 'index.html' ? '/' : `/${file.fileName}`
    const contentType = contentTypes[extname(file.fileName)] ?? 'application/octet-stream'
    const bytes = Buffer.from(file.type === 'chunk' ? file.code : file.source)
    bundle.set(path, { contentType, bytes })
  }
  return bundle
}
