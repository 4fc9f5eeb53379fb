/**
 * Who has leases in hand, and whether they may still be thought to. Never by the wall clock: a lease holds for so long after it
 * was renewed by the time since the machine's boot, and not beyond that boot.
 */
import type { StatementSync } from 'node:sqlite'
import type { JobsFile } from './jobs-file.ts'
import type { Machine } from './machine.ts'
import { type Holder, holderOf } from './rows.ts'

export class HolderTable {
  /** This connection. */
  readonly id = crypto.randomUUID()
  readonly #machine: Machine
  readonly #holdsForMs: number
  readonly #renew: StatementSync
  readonly #remove: StatementSync
  readonly #others: StatementSync

  constructor(file: JobsFile, machine: Machine, holdsForMs: number) {
    this.#machine = machine
    this.#holdsForMs = holdsForMs
    this.#renew = file.prepare(`
      INSERT INTO holders (id, boot_id, pid_namespace, pid, started, renewed_at_ms, holds_for_ms)
      VALUES (:id, :bootId, :pidNamespace, :pid, :started, :renewedAtMs, :holdsForMs)
      ON CONFLICT (id) DO UPDATE SET renewed_at_ms = :renewedAtMs`)
    this.#remove = file.prepare('DELETE FROM holders WHERE id = :id')
    this.#others = file.prepare('SELECT * FROM holders WHERE id <> :id')
  }

  renew(): void {
    const { bootId, thisProcess } = this.#machine
    const renewedAtMs = this.#machine.monotonicMs()
    this.#renew.run({ id: this.id, bootId, ...thisProcess, renewedAtMs, holdsForMs: this.#holdsForMs })
  }

  remove(id: string): void {
    this.#remove.run({ id })
  }

  /** Those whose leases are void: not ourselves, who are evidently here. */
  void(): Holder[] {
    return this.#others
      .all({ id: this.id })
      .map(holderOf)
      .filter((holder) => this.#isVoid(holder))
  }

  #isVoid(holder: Holder): boolean {
    const ageMs = this.#machine.monotonicMs() - holder.renewedAtMs
    // Renewed in the future: in the time of another boot, of which a kernel without boot ids does not tell.
    if (holder.bootId !== this.#machine.bootId || ageMs < 0) return true
    return ageMs > holder.holdsForMs || this.#machine.isGone(holder)
  }
}
