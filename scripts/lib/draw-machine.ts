import type { AnyStateNode, AnyTransitionDefinition } from 'xstate'

/** Draws a machine as a Mermaid state diagram, in a Markdown code block. */
export function draw(root: AnyStateNode): string {
  return ['```mermaid', 'stateDiagram-v2', ...drawInside(root, '  '), '```'].join('\n')
}

function drawInside(node: AnyStateNode, indent: string): string[] {
  const children = Object.values(node.states)
  const lines: string[] = []
  if (node.type === 'parallel') {
    for (const [at, child] of children.entries()) {
      if (at > 0) lines.push(`${indent}--`)
      lines.push(`${indent}state "${child.key}" as ${idOf(child)} {`)
      lines.push(...drawInside(child, `${indent}  `), `${indent}}`)
    }
    return lines
  }
  const initial = node.initial.target[0]
  if (initial !== undefined) lines.push(`${indent}[*] --> ${idOf(initial)}`)
  for (const child of children) {
    if (Object.keys(child.states).length === 0) {
      lines.push(`${indent}state "${child.key}" as ${idOf(child)}`)
    } else {
      lines.push(`${indent}state "${child.key}" as ${idOf(child)} {`)
      lines.push(...drawInside(child, `${indent}  `), `${indent}}`)
    }
  }
  for (const child of children) {
    lines.push(...arrowsFrom(child).map((arrow) => `${indent}${arrow}`))
  }
  return lines
}

/** One arrow for each pair of states, labelled with all events that cause the transition. */
function arrowsFrom(node: AnyStateNode): string[] {
  const labels = new Map<string, Set<string>>()
  const all = [...node.transitions.values(), node.always ?? []].flat()
  for (const transition of all) {
    // A transition without a target changes no state.
    const target = transition.target?.[0] ?? (transition.reenter ? node : undefined)
    if (target === undefined) continue
    const known = labels.get(idOf(target)) ?? new Set()
    labels.set(idOf(target), known.add(labelOf(transition)))
  }
  return [...labels].map(([target, known]) => {
    return `${idOf(node)} --> ${target} : ${[...known].join(', ')}`
  })
}

function labelOf(transition: AnyTransitionDefinition): string {
  const event = String(transition.eventType)
    .replace(/^xstate\.after\.([^.]+)\..*$/, 'after $1')
    .replace(/^xstate\.done\.actor\..*$/, 'done')
    .replace(/^xstate\.error\.actor\..*$/, 'error')
  const guard = nameOfGuard(transition.guard)
  const name = event === '' ? 'always' : event
  return guard === '' ? name : `${name} [${guard}]`
}

function nameOfGuard(guard: unknown): string {
  if (typeof guard === 'string') return guard
  if (typeof guard !== 'object' || guard === null || !('type' in guard)) return ''
  return String(guard.type)
}

// Mermaid allows neither dots nor dashes in an identifier.
function idOf(node: AnyStateNode): string {
  return node.path.length === 0 ? node.key : node.path.join('_')
}
