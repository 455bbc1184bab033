"""Rows without a defect, to import or to spoil."""

BARS_HEADER = "open_time,open,high,low,close,volume"
MINUTE_MS = 60_000
START_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z


def bar_lines(count: int, start_ms: int = START_MS) -> list[str]:
    """Plain one-minute bars without a defect, as CSV lines."""
    lines = []
    for i in range(count):
        price = 1000 + (i * 7) % 13
        lines.append(
            f"{start_ms + i * MINUTE_MS},{price}.0,{price + 2}.5,{price - 1}.5,{price + 1}.0,1.25"
        )
    return lines
