/** The part of a shoot's progress that must be equal everywhere. */
export type ShootView = {
  status: string
  processedCount?: number | undefined
  totalCount?: number | undefined
}

/**
 * What a device or the worker knows about a user: the last progress of each shoot, and the balance.
 */
export type UserView = { shoots: Readonly<Record<string, ShootView>>; creditBalance: number }

/** Compares a device with the worker. Returns one sentence per difference. */
export function findDifferences(
  worker: UserView,
  device: UserView & { deviceId: string },
): string[] {
  const differences: string[] = []
  const shootIds = new Set([...Object.keys(worker.shoots), ...Object.keys(device.shoots)])
  for (const shootId of shootIds) {
    const said = describe(worker.shoots[shootId])
    const seen = describe(device.shoots[shootId])
    if (said !== seen) {
      differences.push(
        `${device.deviceId} saw ${shootId} as ${seen}, the worker left it as ${said}`,
      )
    }
  }
  if (device.creditBalance !== worker.creditBalance) {
    differences.push(
      `${device.deviceId} saw ${device.creditBalance} credits, the worker left ${worker.creditBalance}`,
    )
  }
  return differences
}

function describe(shoot: ShootView | undefined): string {
  if (shoot === undefined) return 'nothing'
  return `${shoot.status} ${shoot.processedCount ?? '?'}/${shoot.totalCount ?? '?'}`
}
