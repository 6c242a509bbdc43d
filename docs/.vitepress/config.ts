import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'

const docs = fileURLToPath(new URL('..', import.meta.url))

export default defineConfig({
  title: 'statewire',
  description: 'Real-time sync over WebSocket',
  // Pages refer to files of the repository too.
  ignoreDeadLinks: [/^(\.\.?\/)+(?!docs)/, /\/api\//],
  themeConfig: {
    nav: [
      { text: 'Guide', link: '/getting-started' },
      { text: 'API', link: '/api/' },
    ],
    sidebar: [
      { text: 'Guide', items: pages('.') },
      { text: 'Decisions', collapsed: true, items: pages('adr') },
    ],
    search: { provider: 'local' },
  },
})

/** Every page of a folder, by its first heading. */
function pages(folder: string) {
  const path = `${docs}/${folder}`
  if (!existsSync(path)) return []
  return readdirSync(path)
    .filter((file) => file.endsWith('.md') && !['index.md', 'README.md'].includes(file))
    .map((file) => ({
      text: /^# (.+)$/m.exec(readFileSync(`${path}/${file}`, 'utf8'))?.[1] ?? file,
      link: `/${folder}/${file.replace('.md', '')}`.replace('/./', '/'),
    }))
}
