/** The balance of a new account. */
const openingBalance = 500

/** Credits by user. It is the demo's database, and survives a server's restart. */
export type Ledger = {
  /** A user's balance. Opens an account for a new user. */
  balanceOf: (userId: string) => number
  /** Stores the balance that a trusted caller gives. */
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
