import { HubError } from "../../shared/errors.ts";

/** What whoever wants a name gets that another member of the room has. */
export function nameTaken(name: string): HubError {
  return new HubError("name_taken", `the name ${JSON.stringify(name)} belongs to another member of the room`);
}

/** What the next one gets who comes to a room that takes no more members. */
export function roomFull(most: number): HubError {
  return new HubError("too_large", `the room has ${most} members, and takes no more`);
}
