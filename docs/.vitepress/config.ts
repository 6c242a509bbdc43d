import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'

const docs = fileURLToPath(new URL('..', import.meta.url))

// The order in which a reader needs the pages; docs/index.md lists them in the same order.
const groups = {
  'Use it': [
    'getting-started',
    'delivery',
    'storage',
    'session',
    'recipes/own-login',
    'environments',
    'server',
    'testing',
    'errors',
  ],
  'See it': ['dashboard'],
  'Understand it': ['spec', 'protocol', 'architecture', 'machines', 'adr/README'],
}

export default defineConfig({
  title: 'statewire',
  description: 'Real-time sync over WebSocket',
  // Pages link to files of the repository too.
  ignoreDeadLinks: [/^(\.\.?\/)+(?!docs)/, /\/api\//],
  themeConfig: {
    nav: [
      { text: 'Guide', link: '/getting-started' },
      { text: 'API', link: '/api/' },
    ],
    sidebar: [
      ...Object.entries(groups).map(([text, pages]) => ({ text, items: items(pages) })),
      { text: 'Decisions', collapsed: true, items: items(decisions()) },
    ],
    search: { provider: 'local' },
  },
})

/** Links to pages, each under its first heading. */
function items(pages: readonly string[]) {
  return pages
    .filter((page) => existsSync(`${docs}/${page}.md`))
    .map((page) => ({
      text: /^# (.+)$/m.exec(readFileSync(`${docs}/${page}.md`, 'utf8'))?.[1] ?? page,
      link: `/${page}`,
    }))
}

/** The decision records, by number. */
function decisions(): string[] {
  return readdirSync(`${docs}/adr`)
    .filter((file) => /^\d+.*\.md$/.test(file))
    .map((file) => `adr/${file.replace('.md', '')}`)
    .sort()
}
