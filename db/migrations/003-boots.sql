-- When this node's kernel was started, and when the node ended itself: it does not do that again soon. Bounded.
CREATE TABLE SM_BOOTS (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  WALL_MS INTEGER NOT NULL,
  KERNEL_LIFE TEXT NOT NULL DEFAULT '',
  CAUSE CHAR(32) NOT NULL
    CONSTRAINT "CAUSE must be boot or reboot"
    CHECK (CAUSE IN ('boot', 'reboot')),
  REASON TEXT NOT NULL DEFAULT ''
);
