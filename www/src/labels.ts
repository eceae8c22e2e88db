// Where a map's labels go: beside their point, never over another label; those without room wait for
// the pointer. Earlier points come first, so the nearest senses keep their names.

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Placed {
  /** Offset of the text's start, middle or end from the point. */
  dx: number;
  dy: number;
  anchor: "start" | "middle" | "end";
  crowded: boolean;
}

const GAP = 8;
// A point under the asker's ring keeps its label clear of the ring.
const RING_GAP = 14;
const overlap = (a: Box, b: Box) =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

export function placeLabels(
  points: readonly { x: number; y: number; width: number }[],
  height: number,
  frame: { width: number; height: number },
  asked: { x: number; y: number },
): Placed[] {
  const occupied: Box[] = [{ x: asked.x - 10, y: asked.y - 10, width: 20, height: 20 }, ...points.map(({ x, y }) => ({ x: x - 4, y: y - 4, width: 8, height: 8 }))];
  return points.map(({ x, y, width }) => {
    const rise = height * 0.34;
    const gap = Math.hypot(x - asked.x, y - asked.y) < RING_GAP ? RING_GAP : GAP;
    const options: Placed[] = [
      { dx: gap, dy: rise, anchor: "start", crowded: false },
      { dx: -gap, dy: rise, anchor: "end", crowded: false },
      { dx: 0, dy: -gap, anchor: "middle", crowded: false },
      { dx: 0, dy: gap + height * 0.7, anchor: "middle", crowded: false },
    ];
    const boxOf = ({ dx, dy, anchor }: Placed): Box => ({
      x: x + dx - (anchor === "start" ? 0 : anchor === "end" ? width : width / 2),
      y: y + dy - height * 0.8,
      width,
      height,
    });
    const inside = (box: Box) =>
      box.x >= 0 && box.y >= 0 && box.x + box.width <= frame.width && box.y + box.height <= frame.height;
    const free = options.find((option) => {
      const box = boxOf(option);
      return inside(box) && !occupied.some((other) => overlap(box, other));
    });
    if (free) {
      occupied.push(boxOf(free));
      return free;
    }
    return { ...(options.find((option) => inside(boxOf(option))) ?? options[0]!), crowded: true };
  });
}
