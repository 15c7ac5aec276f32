/** Takes apart the addresses that stand in one text; a comma inside of one, as in a password, parts nothing. */
export function splitAddresses(text: string): readonly string[] {
  return text.trim().split(/\s*,\s*(?=[a-z]+:\/\/)/i);
}

/** Whether each address of a text is one of a Redis, as far as that can be seen. */
export function areAddresses(text: string): boolean {
  const addresses = splitAddresses(text);
  return addresses.every((address) => isServer(address) || (addresses.length === 1 && isSocket(address)));
}

function isServer(address: string): boolean {
  if (!/^rediss?:\/\//.test(address) || !URL.canParse(address)) return false;
  const { host, pathname } = new URL(address);
  // "redis://a,b" would be one host by that name.
  return !host.includes(",") && /^\/?\d*$/.test(pathname);
}

function isSocket(address: string): boolean {
  return /^unix:\/\/[^?#]*\//.test(address);
}
