import { createRandom, type Random } from './random.js'

/** The subject of a generated scene. */
export type Subject = 'harbour' | 'old-town' | 'orchard'

/**
 * A view of a scene: its size, and how far the camera has moved since the first view, in pixels.
 */
export type View = { width: number; height: number; moveX: number; moveY: number }

/**
 * How far beyond its frame a scene is painted, in pixels, so that a moved camera shows no blank
 * edge.
 */
export const sceneMargin = 24

/** Paints a scene as an SVG document: the same seed, subject and view give the same text. */
export function paintScene(seed: string, subject: Subject, view: View): string {
  const random = createRandom(seed)
  const canvas = { width: view.width + 2 * sceneMargin, height: view.height + 2 * sceneMargin }
  const left = sceneMargin + view.moveX
  const top = sceneMargin + view.moveY
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${view.width}" height="${view.height}" `,
    `viewBox="${left} ${top} ${view.width} ${view.height}">`,
    ...painters[subject](random, canvas),
    '</svg>',
  ].join('')
}

type Canvas = { width: number; height: number }
type Painter = (random: Random, canvas: Canvas) => string[]

const painters: Record<Subject, Painter> = {
  harbour(random, canvas) {
    const horizon = canvas.height * random.between(0.35, 0.7)
    const sun = `<circle cx="${px(random.between(0, canvas.width))}" cy="${px(random.between(0, horizon))}" r="${random.whole(25, 80)}" fill="${colour(random, 45, 85, 98)}"/>`
    const hills = repeat(random.whole(1, 3), () => ridge(random, canvas, horizon))
    const sea = box(0, horizon, canvas.width, canvas.height, colour(random, 205, 15, 55))
    const glints = repeat(random.whole(60, 200), () => {
      const y = random.between(horizon, canvas.height)
      const width = random.between(6, 10 + (y - horizon) / 3)
      return box(random.between(0, canvas.width), y, width, 2, colour(random, 205, 30, 95))
    })
    const boats = repeat(random.whole(2, 6), () => {
      const x = random.between(0, canvas.width)
      const y = random.between(horizon, canvas.height)
      const size = random.between(15, 90)
      const sail = `${px(x)},${px(y)} ${px(x)},${px(y - 2 * size)} ${px(x + size)},${px(y)}`
      const hull = box(x - size / 2, y + 2, size * 1.6, size / 4, colour(random, 20, 5, 40))
      return `<polygon points="${sail}" fill="${colour(random, 40, 60, 98)}"/>${hull}`
    })
    return [...sky(random, canvas), sun, ...hills, sea, ...glints, ...boats]
  },

  'old-town'(random, canvas) {
    const parts = sky(random, canvas)
    for (let x = -random.between(0, 60); x < canvas.width; ) {
      const width = random.between(50, 200)
      const roof = random.between(0.05, 0.75) * canvas.height
      parts.push(box(x, roof, width, canvas.height, colour(random, random.whole(0, 60), 12, 80)))
      parts.push(...windows(random, x, roof, width, canvas.height))
      x += width
    }
    const street = canvas.height * random.between(0.8, 0.95)
    parts.push(box(0, street, canvas.width, canvas.height, colour(random, 30, 15, 60)))
    return parts
  },

  orchard(random, canvas) {
    const parts = sky(random, canvas)
    const ground = canvas.height * random.between(0.55, 0.9)
    parts.push(box(0, ground, canvas.width, canvas.height, colour(random, 95, 20, 60)))
    for (let tree = random.whole(2, 5); tree > 0; tree--) {
      const x = random.between(0, canvas.width)
      const y = random.between(0.2, 0.6) * canvas.height
      const spread = random.between(50, 150)
      const light = random.between(15, 55)
      parts.push(box(x - spread / 12, y, spread / 6, canvas.height - y, colour(random, 25, 8, 30)))
      for (let leaf = 0; leaf < 90; leaf++) {
        const angle = random.between(0, 2 * Math.PI)
        const reach = spread * Math.sqrt(random.next())
        const fill =
          leaf % 15 === 0 ? colour(random, 5, 40, 60) : colour(random, 100, light - 12, light + 25)
        parts.push(
          `<circle cx="${px(x + Math.cos(angle) * reach)}" cy="${px(y + Math.sin(angle) * reach)}" r="${random.whole(3, 14)}" fill="${fill}"/>`,
        )
      }
    }
    return parts
  },
}

function sky(random: Random, canvas: Canvas): string[] {
  const hue = random.whole(180, 260)
  return [
    `<linearGradient id="sky" x1="0" y1="0" x2="${px(random.between(-1, 1))}" y2="1">`,
    `<stop offset="0" stop-color="${colour(random, hue, 25, 75)}"/>`,
    `<stop offset="1" stop-color="${colour(random, random.whole(20, 60), 55, 95)}"/>`,
    '</linearGradient>',
    box(0, 0, canvas.width, canvas.height, 'url(#sky)'),
  ]
}

function ridge(random: Random, canvas: Canvas, foot: number): string {
  const points = [`0,${px(foot)}`]
  for (let x = 0; x <= canvas.width + 60; x += random.whole(20, 60)) {
    points.push(`${x},${px(foot * random.between(0.35, 0.95))}`)
  }
  points.push(`${canvas.width + 60},${px(foot)}`)
  return `<polygon points="${points.join(' ')}" fill="${colour(random, random.whole(90, 230), 15, 60)}"/>`
}

function windows(random: Random, x: number, roof: number, width: number, foot: number): string[] {
  const glass = colour(random, random.whole(40, 220), 10, 90)
  const size = random.between(10, 22)
  const panes: string[] = []
  for (let row = roof + size; row < foot; row += size * 2) {
    for (let column = x + size / 2; column + size < x + width; column += size * 1.7) {
      if (random.next() < 0.85) panes.push(box(column, row, size, size * 1.3, glass))
    }
  }
  return panes
}

function box(x: number, y: number, width: number, height: number, fill: string): string {
  return `<rect x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${px(height)}" fill="${fill}"/>`
}

function colour(random: Random, hue: number, darkest: number, lightest: number): string {
  return `hsl(${hue + random.whole(-15, 15)},${random.whole(15, 65)}%,${random.whole(Math.round(darkest), Math.round(lightest))}%)`
}

function repeat(times: number, make: () => string): string[] {
  return Array.from({ length: times }, make)
}

function px(length: number): string {
  return length.toFixed(1)
}
