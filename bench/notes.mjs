// The protocol of the delivery benchmarks, for both threads.
import * as z from 'zod'
import { defineProtocol } from '../dist/index.js'

const note = z.object({ text: z.string() })

export const notes = defineProtocol({ receive: { SAID: note }, send: { NOTE: note } })
