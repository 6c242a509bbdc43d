import type { $ZodLazy, $ZodType, $ZodTypes } from 'zod/v4/core'

/**
 * Whether a value of one schema can contain a value of another one, at any depth. The two may be
 * the same schema: a recursive schema reaches itself.
 */
export function reaches(from: $ZodType, to: $ZodType): boolean {
  const seen = new Set<$ZodType>()
  const waiting = partsOf(from)
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    if (part === to) return true
    if (seen.has(part)) continue
    seen.add(part)
    waiting.push(...partsOf(part))
  }
  return false
}

/** The schema inside a lazy one. Every call returns the same object; the getter need not do so. */
export function innerOf(lazy: $ZodLazy): $ZodType {
  return lazy._zod.innerType
}

function partsOf(schema: $ZodType): $ZodType[] {
  const { def } = (schema as $ZodTypes)._zod
  switch (def.type) {
    case 'nullable':
    case 'optional':
    case 'default':
    case 'prefault':
    case 'nonoptional':
    case 'readonly':
    case 'catch':
      return [def.innerType]
    case 'pipe':
      return [def.in]
    case 'lazy':
      return [innerOf(schema as $ZodLazy)]
    case 'union':
      return [...def.options]
    case 'array':
      return [def.element]
    case 'tuple':
      return def.rest === null ? [...def.items] : [...def.items, def.rest]
    case 'object':
      return [...Object.values(def.shape), ...(def.catchall === undefined ? [] : [def.catchall])]
    case 'record':
      return [def.valueType]
    case 'intersection':
      return [def.left, def.right]
    default:
      return []
  }
}
