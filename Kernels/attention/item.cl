// Determines which results this work-item computes: the results of `count` neighboring queries of one head, or of
// `count` neighboring keys of one group (one head of keys and values). `count` is at most WIDTH, and `first` is the
// first of these queries or keys. The $extent queries of a head, or keys of a group, are divided into $parts parts.
// $head is the name `head` or `group`.
//
//   item = (batch · $headCount + $head) · $parts + part          first = part · WIDTH
//
// Parameters: $extent, $head, $headCount, $items, $localSize, $parts.
const i64 item = (i64)GROUP_ID() * $localSize + LOCAL_ID();
if (item >= $items) return;
const i64 line = item / $parts;
const i64 first = (item - line * $parts) * WIDTH;
const int count = (int)SMALLER((i64)WIDTH, $extent - first);
const i64 batch = line / $headCount;
const i64 $head = line - batch * $headCount;
