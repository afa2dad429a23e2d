import { describe, expect, it } from 'vitest';
import { FamilyStates } from '../../lib/cluster/familyStates';
import type { PartJob } from '../../lib/cluster/partJob';

/** A job of the run with this seed. */
const of = (seed: number): PartJob => ({ shared: { seed }, family: 0 }) as unknown as PartJob;

describe('the states that a worker has', () => {
  it('are those of sixteen runs at the same time; asking for others forgets none', () => {
    const states = new FamilyStates();
    for (let seed = 0; seed < 16; seed++) states.set(of(seed), [`state of ${seed}`]);
    for (let seed = 16; seed < 40; seed++) expect(states.has(of(seed), `state of ${seed}`)).toBe(false);
    for (let seed = 0; seed < 16; seed++) expect(states.has(of(seed), `state of ${seed}`)).toBe(true);
    expect(states.takeForgotten()).toEqual([]);
  });

  it('are forgotten of the run that was set first when there is one more, which is told once', () => {
    const states = new FamilyStates();
    for (let seed = 0; seed < 17; seed++) states.set(of(seed), ['a state']);
    expect(states.has(of(0), 'a state')).toBe(false);
    expect(states.has(of(16), 'a state')).toBe(true);
    expect(states.takeForgotten()).toEqual([{ seed: 0 }]);
    expect(states.takeForgotten()).toEqual([]);
  });
});
