/** What an account holds when it is first looked at. */
const openingBalance = 500

/** Credits by user. It is the demo's database: it outlives a restart of its server. */
export type Ledger = {
  /** A user's balance; an account is opened for whoever has none. */
  balanceOf: (userId: string) => number
  /** Notes what a trusted caller says that a balance now is. */
  record(userId: string, balance: number): void
}

/** Makes an empty ledger. */
export function createLedger(): Ledger {
  const balances = new Map<string, number>()
  return {
    balanceOf: (userId) => balances.get(userId) ?? openingBalance,
    record(userId, balance) {
      balances.set(userId, balance)
    },
  }
}
