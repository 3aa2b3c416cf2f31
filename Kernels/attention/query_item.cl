// The queries that a work-item processes, and the memory offsets of these queries and of the keys and values that their
// head reads. A group of $share heads reads the same keys and values.
//
// Parameters: $ITEM, $MASK, $WORDS, $keyBatch, $keyHead, $keyOffset, $queryBatch, $queryHead, $queryOffset, $queryRow,
// $share, $valueBatch, $valueHead, $valueOffset.
$ITEM
const i64 group = head / $share;
const i64 queryAt = $queryOffset + batch * $queryBatch + head * $queryHead + first * $queryRow;
const i64 keyAt = $keyOffset + batch * $keyBatch + group * $keyHead;
const i64 valueAt = $valueOffset + batch * $valueBatch + group * $valueHead;
$MASK
$WORDS
