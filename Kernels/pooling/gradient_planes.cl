// The gradient of the input of a pooling, on a CPU. A plane is one channel of one example. A work-item computes some
// planes, one after the other: it iterates over the windows of a plane, adds up their gradients in the workspace, and
// applies the epilogue, the fused elementwise operations, to the sums.
//
//   $WINDOWS: distributes `gradient`, the gradients of `count` windows, to their elements in `stage` (window.cl)
//   $gradient, $gradientOffset: the gradient of the output, of type $dtype, and its offset
//   $outputD × $outputH × $outputW: the windows of a plane; $inputVolume: the elements of a plane of the input
//   $planes: the number of planes; $planesPerItem: the planes of a work-item
//   $workspace, $stageStride: the memory of the sums, and the elements in it of one work-item; $laneType: their type
//   $rowCount × $rowLength: a plane of the input as rows of the epilogue
//   $ROW, $EPILOGUE: see matmul/vector.cl; `output` counts the rows of all planes
//
// Parameters: $EPILOGUE, $ROW, $T, $V, $WINDOWS, $dtype, $gradient, $gradientOffset, $index, $inputVolume, $laneType,
// $outputD, $outputH, $outputW, $planes, $planesPerItem, $rowCount, $rowLength, $stageStride, $workspace, $zero.
$index plane = GROUP_ID() * $planesPerItem;
const $index lastPlane = SMALLER(plane + $planesPerItem, $planes);
GLOBAL $T *stage = $workspace + GROUP_ID() * $stageStride;
for (; plane < lastPlane; plane += 1) {
  for ($index position = 0; position < $inputVolume; position += WIDTH) {
    STORE_$laneType(stage, position, (int)SMALLER($inputVolume - position, ($index)WIDTH), $zero);
  }
  for ($index d = 0; d < $outputD; d += 1) {
    for ($index h = 0; h < $outputH; h += 1) {
      for ($index column = 0; column < $outputW; column += WIDTH) {
        const int count = (int)SMALLER($outputW - column, ($index)WIDTH);
        const $V gradient = LOAD_$dtype($gradient, $gradientOffset + ((plane * $outputD + d) * $outputH + h) * $outputW + column, count);
        $WINDOWS
      }
    }
  }
  for ($index row = 0; row < $rowCount; row += 1) {
    const $index output = plane * $rowCount + row;
    $ROW
    for ($index column = 0; column < $rowLength; column += WIDTH) {
      const int count = (int)SMALLER($rowLength - column, ($index)WIDTH);
      const $V core = LOAD_$laneType(stage, row * $rowLength + column, count);
      $EPILOGUE
    }
  }
}
