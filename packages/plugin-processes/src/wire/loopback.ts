/** True for names of this very host, where nobody else need be able to knock. */
export function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || address.startsWith("127.");
}
