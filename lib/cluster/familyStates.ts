import type { PartJob, PartPhase } from './partJob';

/** Phases whose families are kept. */
const MOST_PHASES = 16;

/** In which states the families of a computer are. */
export class FamilyStates {
  /** Per phase and family the names of its state. */
  private readonly phases = new Map<
    string,
    { readonly shared: PartPhase; readonly names: Map<number, readonly string[]> }
  >();
  private forgotten: PartPhase[] = [];

  private namesOf(shared: PartPhase): Map<number, readonly string[]> {
    const key = JSON.stringify(shared);
    const phase = this.phases.get(key) ?? { shared, names: new Map<number, readonly string[]>() };
    this.phases.delete(key);
    this.phases.set(key, phase);
    if (this.phases.size > MOST_PHASES) {
      const [oldest] = this.phases;
      this.phases.delete(oldest[0]);
      this.forgotten.push(oldest[1].shared);
    }
    return phase.names;
  }

  has({ shared, family }: PartJob, name: string): boolean {
    return this.phases.get(JSON.stringify(shared))?.names.get(family)?.includes(name) ?? false;
  }

  set({ shared, family }: PartJob, names: readonly string[]): void {
    this.namesOf(shared).set(family, names);
  }

  clear(): void {
    this.phases.clear();
  }

  /** Phases that are kept no more, to be told once. */
  takeForgotten(): PartPhase[] {
    const taken = this.forgotten;
    this.forgotten = [];
    return taken;
  }
}
