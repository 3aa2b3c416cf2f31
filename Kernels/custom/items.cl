// Runs the user's code $BODY for each item `i` of a custom operation. On a CPU, a work-item computes several items; on
// a GPU, it computes one. The code uses these names:
//
//   REAL                  float or double: the arithmetic type of the first floating-point array; undefined if there
//                         is none
//   LOAD(x, at)           an element of an array; 16-bit types are converted to float
//   STORE(y, at, value)   stores a value, rounded to the array's type
//
//   $REAL: the definition of REAL, or empty
//   $count: the number of items; $perGroup: the items of a work-group; $localSize: the work-items of a work-group
//
// The lowering also declares the arrays, and the macros LOAD_OF_x and STORE_OF_y for each array.
//
// Parameters: $BODY, $REAL, $count, $index, $localSize, $perGroup.
#define LOAD(array, at) LOAD_OF_##array(at)
#define STORE(array, at, value) STORE_OF_##array(at, value)
$REAL
const $index begin = ($index)GROUP_ID() * $perGroup;
const $index end = SMALLER(begin + $perGroup, $count);
for ($index item = begin + LOCAL_ID(); item < end; item += $localSize) {
  const $index i = item;
  $BODY
}
#undef LOAD
#undef STORE
