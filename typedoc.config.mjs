import { entries } from './scripts/lib/entries.mjs'

/** @type {import('typedoc').TypeDocOptions & Record<string, unknown>} */
export default {
  entryPoints: entries().map(({ source }) => source),
  tsconfig: 'tsconfig.build.json',
  plugin: ['typedoc-plugin-markdown', 'typedoc-vitepress-theme'],
  out: 'docs/api',
  docsRoot: 'docs',
  readme: 'none',
  disableSources: true,
  excludeInternal: true,
}
