// Loads the index `from` that all elements of a row of a gather share, the index of a row of the source. $FROM is the
// load, $extent is the number of rows of the source, and $FAULT reports an index that is out of range.
//
// Parameters: $FAULT, $FROM, $extent.
const i64 from = $FROM;
if (from < 0 || from >= $extent) $FAULT
