import type { Node } from "../api/types";

/** Degrees north and east. */
export interface Place {
  latitude: number;
  longitude: number;
}

/** Where a node stands; null where it does not tell: 0/0 is what an unset position is sent as (isems/domain/limits.py). */
export function positionOf(node: Node): Place | null {
  const latitude = node.configuration?.latitude ?? null;
  const longitude = node.configuration?.longitude ?? null;
  if (latitude === null || longitude === null || (latitude === 0 && longitude === 0)) return null;
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? { latitude, longitude } : null;
}
