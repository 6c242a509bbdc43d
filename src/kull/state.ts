import type * as z from 'zod/mini'
import { PersistentMap } from '../base/persistent-map.js'
import { defineCoordinator } from '../schemas/coordinator.js'
import {
  checkpoint,
  creditSummary,
  type creditUpdate,
  type promptChange,
  receive,
} from '../schemas/kull.js'
import { addSocket, type Device, removeSocket, unconfirmDevice } from './devices.js'
import { createShoot, isFinished, type Shoot, sumProcessing, toFraction } from './shoots.js'

/** The data of `CREDIT_UPDATE`. `change` is negative when credits were used. */
export type CreditUpdate = z.output<typeof creditUpdate>

/** The data of `PROMPT_CHANGE`. */
export type PromptChange = z.output<typeof promptChange>

/** The state of a Kull client. */
export interface KullState {
  /** Shoots by id. A shoot that completed or failed is removed 5 s later. */
  readonly activeShootProgress: PersistentMap<Shoot>
  /** In credits. 0 until it is known. */
  readonly creditBalance: number
  /** The user's connected devices by id, this one among them. */
  readonly connectedDevices: PersistentMap<Device>
  readonly lastCreditUpdate: CreditUpdate | undefined
  readonly lastPromptChange: PromptChange | undefined
  /**
   * This client's device id, as the server announced it: a web session learns in this way the id
   * that the server made for it. `undefined` until then.
   */
  readonly ownDeviceId: string | undefined
}

const initial: KullState = {
  activeShootProgress: PersistentMap.empty(),
  creditBalance: 0,
  connectedDevices: PersistentMap.empty(),
  lastCreditUpdate: undefined,
  lastPromptChange: undefined,
  ownDeviceId: undefined,
}

/** Folds Kull's messages into the state. */
export const coordinator = defineCoordinator(receive, {
  initial,

  fold: {
    SHOOT_PROGRESS(state, { data }) {
      state.activeShootProgress.set(data.shootId, createShoot(data))
    },
    CREDIT_UPDATE(state, { data }) {
      state.creditBalance = data.newBalance
      state.lastCreditUpdate = data
    },
    PROMPT_CHANGE(state, { data }) {
      state.lastPromptChange = data
    },
    DEVICE_CONNECTED(state, { data, meta }) {
      // The first announcement on a connection is about this client's own device.
      state.ownDeviceId ??= data.deviceId
      addSocket(state.connectedDevices, data, meta)
    },
    DEVICE_DISCONNECTED(state, { data }) {
      removeSocket(state.connectedDevices, data.deviceId, state.ownDeviceId)
    },
  },

  expire: {
    activeShootProgress: { when: isFinished, afterMs: 5_000 },
  },

  snapshot: {
    schema: creditSummary,
    fold(state, { balance }, seen) {
      if (!seen.has('CREDIT_UPDATE')) state.creditBalance = balance
    },
  },

  checkpoint: {
    schema: checkpoint,
    take: ({ activeShootProgress, lastCreditUpdate, lastPromptChange }) => ({
      shoots: [...activeShootProgress.values()],
      lastCreditUpdate,
      lastPromptChange,
    }),
    restore(state, { shoots, lastCreditUpdate, lastPromptChange }) {
      state.activeShootProgress = PersistentMap.from(
        shoots.map((shoot) => [shoot.shootId, createShoot(shoot)]),
      )
      state.lastPromptChange = lastPromptChange
      state.lastCreditUpdate = lastCreditUpdate
      // A server without an update does not know the balance, so the loaded one stays.
      if (lastCreditUpdate !== undefined) state.creditBalance = lastCreditUpdate.newBalance
    },
  },

  presence: {
    field: 'connectedDevices',
    unconfirm: unconfirmDevice,
    isUnconfirmed: (device) => !device.isConfirmed,
    leaveAfterMs: 60_000,
  },

  opened(state) {
    // The server makes an id for each connection of a web session, so the former one never returns.
    if (state.ownDeviceId?.startsWith('web-') === true) {
      state.connectedDevices.delete(state.ownDeviceId)
    }
    state.ownDeviceId = undefined
  },
})

/** Whether a shoot is being processed. */
export function isAnyShooting(state: KullState): boolean {
  return sumProcessing(state.activeShootProgress).shoots > 0
}

/** The number of processed images of the shoots that are being processed. */
export function totalImagesProcessing(state: KullState): number {
  return sumProcessing(state.activeShootProgress).processed
}

/** The number of all images of the shoots that are being processed. */
export function totalImagesToProcess(state: KullState): number {
  return sumProcessing(state.activeShootProgress).total
}

/** The progress of all shoots that are being processed, from 0 to 1. 0 if there is no image. */
export function overallProgress(state: KullState): number {
  const { processed, total } = sumProcessing(state.activeShootProgress)
  return total === 0 ? 0 : toFraction(processed / total)
}
