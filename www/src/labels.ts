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
const overlap = (a: Box, b: Box) =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

export function placeLabels(
  points: readonly { x: number; y: number; width: number }[],
  height: number,
  frame: { width: number; height: number },
  taken: readonly Box[],
): Placed[] {
  const occupied: Box[] = [...taken, ...points.map(({ x, y }) => ({ x: x - 4, y: y - 4, width: 8, height: 8 }))];
  return points.map(({ x, y, width }) => {
    const rise = height * 0.34;
    const options: Placed[] = [
      { dx: GAP, dy: rise, anchor: "start", crowded: false },
      { dx: -GAP, dy: rise, anchor: "end", crowded: false },
      { dx: 0, dy: -GAP, anchor: "middle", crowded: false },
      { dx: 0, dy: GAP + height * 0.7, anchor: "middle", crowded: false },
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
