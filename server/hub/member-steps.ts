import type { Member } from "../../shared/presence.ts";

/** What happened to one member; undefined is not there. */
export interface MemberStep {
  readonly user: string;
  readonly before: Member | undefined;
  readonly now: Member | undefined;
}

/** What came of some steps, for somebody who knows what was before the first of them. */
export interface MembersNews {
  /** Also those who were there and have changed. */
  readonly joined: readonly Member[];
  readonly left: readonly Member[];
}

/** Sums steps up, in their order: who came and went is not mentioned, who went and came back unchanged neither. */
export function newsOf(steps: Iterable<MemberStep>): MembersNews {
  const sums = new Map<string, MemberStep>();
  for (const { user, before, now } of steps) {
    const sum = sums.get(user);
    sums.set(user, { user, before: sum === undefined ? before : sum.before, now });
  }
  const joined: Member[] = [];
  const left: Member[] = [];
  for (const { before, now } of sums.values()) {
    if (now === undefined) {
      if (before !== undefined) left.push(before);
    } else if (before === undefined || !isSame(before, now)) joined.push(now);
  }
  return { joined, left };
}

/** Nobody sees a difference; since when somebody is there is not looked at. */
export function isSame(a: Member, b: Member): boolean {
  return a.name === b.name && JSON.stringify(a.info) === JSON.stringify(b.info);
}
