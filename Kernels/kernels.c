#include "kernels.h"

#include <stddef.h>
#include <string.h>

// The embedded files, each terminated by a zero byte.
static const struct {
  const char *name;
  const char *text;
} files[] = {
    {"elementwise.def", (const char[]){
#embed "elementwise.def" suffix(, 0)
    }},
    {"reduce.def", (const char[]){
#embed "reduce.def" suffix(, 0)
    }},
    {"prelude/opencl.h", (const char[]){
#embed "prelude/opencl.h" suffix(, 0)
    }},
    {"prelude/opencl_lanes.h", (const char[]){
#embed "prelude/opencl_lanes.h" suffix(, 0)
    }},
    {"prelude/cuda.h", (const char[]){
#embed "prelude/cuda.h" suffix(, 0)
    }},
    {"prelude/one_lane.h", (const char[]){
#embed "prelude/one_lane.h" suffix(, 0)
    }},
    {"prelude/indices.h", (const char[]){
#embed "prelude/indices.h" suffix(, 0)
    }},
    {"prelude/bits.h", (const char[]){
#embed "prelude/bits.h" suffix(, 0)
    }},
    {"prelude/math.h", (const char[]){
#embed "prelude/math.h" suffix(, 0)
    }},
    {"prelude/logarithm.h", (const char[]){
#embed "prelude/logarithm.h" suffix(, 0)
    }},
    {"prelude/hyperbolic.h", (const char[]){
#embed "prelude/hyperbolic.h" suffix(, 0)
    }},
    {"prelude/trigonometry.h", (const char[]){
#embed "prelude/trigonometry.h" suffix(, 0)
    }},
    {"prelude/matrix.h", (const char[]){
#embed "prelude/matrix.h" suffix(, 0)
    }},
    {"prelude/hopper.h", (const char[]){
#embed "prelude/hopper.h" suffix(, 0)
    }},
    {"prelude/normal.h", (const char[]){
#embed "prelude/normal.h" suffix(, 0)
    }},
    {"prelude/rounding.h", (const char[]){
#embed "prelude/rounding.h" suffix(, 0)
    }},
    {"prelude/lane.h", (const char[]){
#embed "prelude/lane.h" suffix(, 0)
    }},
    {"prelude/storage.h", (const char[]){
#embed "prelude/storage.h" suffix(, 0)
    }},
    {"prelude/philox.h", (const char[]){
#embed "prelude/philox.h" suffix(, 0)
    }},
    {"prelude/random.h", (const char[]){
#embed "prelude/random.h" suffix(, 0)
    }},
    {"prelude/winograd.h", (const char[]){
#embed "prelude/winograd.h" suffix(, 0)
    }},
    {"prelude/subgroup.h", (const char[]){
#embed "prelude/subgroup.h" suffix(, 0)
    }},
    {"probe/subgroup.cl", (const char[]){
#embed "probe/subgroup.cl" suffix(, 0)
    }},
    {"prelude/rows.h", (const char[]){
#embed "prelude/rows.h" suffix(, 0)
    }},
    {"matmul/pack.cl", (const char[]){
#embed "matmul/pack.cl" suffix(, 0)
    }},
    {"matmul/pack_panel_rows.cl", (const char[]){
#embed "matmul/pack_panel_rows.cl" suffix(, 0)
    }},
    {"matmul/pack_panel.cl", (const char[]){
#embed "matmul/pack_panel.cl" suffix(, 0)
    }},
    {"matmul/pack_transposed.cl", (const char[]){
#embed "matmul/pack_transposed.cl" suffix(, 0)
    }},
    {"matmul/pack_item.cl", (const char[]){
#embed "matmul/pack_item.cl" suffix(, 0)
    }},
    {"matmul/right.cl", (const char[]){
#embed "matmul/right.cl" suffix(, 0)
    }},
    {"matmul/dot.cl", (const char[]){
#embed "matmul/dot.cl" suffix(, 0)
    }},
    {"matmul/segment.cl", (const char[]){
#embed "matmul/segment.cl" suffix(, 0)
    }},
    {"matmul/term.cl", (const char[]){
#embed "matmul/term.cl" suffix(, 0)
    }},
    {"matmul/terms.cl", (const char[]){
#embed "matmul/terms.cl" suffix(, 0)
    }},
    {"matmul/terms_along.cl", (const char[]){
#embed "matmul/terms_along.cl" suffix(, 0)
    }},
    {"matmul/terms_across.cl", (const char[]){
#embed "matmul/terms_across.cl" suffix(, 0)
    }},
    {"matmul/terms_columns.cl", (const char[]){
#embed "matmul/terms_columns.cl" suffix(, 0)
    }},
    {"matmul/vector.cl", (const char[]){
#embed "matmul/vector.cl" suffix(, 0)
    }},
    {"matmul/warpgroup.cl", (const char[]){
#embed "matmul/warpgroup.cl" suffix(, 0)
    }},
    {"matmul/tiled.cl", (const char[]){
#embed "matmul/tiled.cl" suffix(, 0)
    }},
    {"matmul/matrix.cl", (const char[]){
#embed "matmul/matrix.cl" suffix(, 0)
    }},
    {"matmul/matrix_copy.cl", (const char[]){
#embed "matmul/matrix_copy.cl" suffix(, 0)
    }},
    {"matmul/matrix_multiply.cl", (const char[]){
#embed "matmul/matrix_multiply.cl" suffix(, 0)
    }},
    {"matmul/simt_multiply.cl", (const char[]){
#embed "matmul/simt_multiply.cl" suffix(, 0)
    }},
    {"matmul/simt_block.cl", (const char[]){
#embed "matmul/simt_block.cl" suffix(, 0)
    }},
    {"matmul/tile_fetch.cl", (const char[]){
#embed "matmul/tile_fetch.cl" suffix(, 0)
    }},
    {"matmul/tile_store.cl", (const char[]){
#embed "matmul/tile_store.cl" suffix(, 0)
    }},
    {"convolution/image.cl", (const char[]){
#embed "convolution/image.cl" suffix(, 0)
    }},
    {"convolution/image_copy.cl", (const char[]){
#embed "convolution/image_copy.cl" suffix(, 0)
    }},
    {"convolution/pack_plane_weights.cl", (const char[]){
#embed "convolution/pack_plane_weights.cl" suffix(, 0)
    }},
    {"convolution/plane.cl", (const char[]){
#embed "convolution/plane.cl" suffix(, 0)
    }},
    {"convolution/plane_block.cl", (const char[]){
#embed "convolution/plane_block.cl" suffix(, 0)
    }},
    {"convolution/plane_private.cl", (const char[]){
#embed "convolution/plane_private.cl" suffix(, 0)
    }},
    {"convolution/depthwise.cl", (const char[]){
#embed "convolution/depthwise.cl" suffix(, 0)
    }},
    {"convolution/depthwise_gradient.cl", (const char[]){
#embed "convolution/depthwise_gradient.cl" suffix(, 0)
    }},
    {"convolution/pack_matrix_weights.cl", (const char[]){
#embed "convolution/pack_matrix_weights.cl" suffix(, 0)
    }},
    {"convolution/spread.cl", (const char[]){
#embed "convolution/spread.cl" suffix(, 0)
    }},
    {"convolution/spread_any.cl", (const char[]){
#embed "convolution/spread_any.cl" suffix(, 0)
    }},
    {"convolution/spread_two.cl", (const char[]){
#embed "convolution/spread_two.cl" suffix(, 0)
    }},
    {"convolution/plane_gradient.cl", (const char[]){
#embed "convolution/plane_gradient.cl" suffix(, 0)
    }},
    {"convolution/pixel_tile.cl", (const char[]){
#embed "convolution/pixel_tile.cl" suffix(, 0)
    }},
    {"convolution/pixel_tap.cl", (const char[]){
#embed "convolution/pixel_tap.cl" suffix(, 0)
    }},
    {"convolution/pixel_gradient.cl", (const char[]){
#embed "convolution/pixel_gradient.cl" suffix(, 0)
    }},
    {"convolution/pack_pixel_weights.cl", (const char[]){
#embed "convolution/pack_pixel_weights.cl" suffix(, 0)
    }},
    {"convolution/weight_sums.cl", (const char[]){
#embed "convolution/weight_sums.cl" suffix(, 0)
    }},
    {"convolution/winograd.cl", (const char[]){
#embed "convolution/winograd.cl" suffix(, 0)
    }},
    {"convolution/winograd_tile.cl", (const char[]){
#embed "convolution/winograd_tile.cl" suffix(, 0)
    }},
    {"convolution/winograd_patches.cl", (const char[]){
#embed "convolution/winograd_patches.cl" suffix(, 0)
    }},
    {"convolution/winograd_weights.cl", (const char[]){
#embed "convolution/winograd_weights.cl" suffix(, 0)
    }},
    {"convolution/winograd_gradients.cl", (const char[]){
#embed "convolution/winograd_gradients.cl" suffix(, 0)
    }},
    {"convolution/winograd_products.cl", (const char[]){
#embed "convolution/winograd_products.cl" suffix(, 0)
    }},
    {"convolution/winograd_sums.cl", (const char[]){
#embed "convolution/winograd_sums.cl" suffix(, 0)
    }},
    {"copy/transpose.cl", (const char[]){
#embed "copy/transpose.cl" suffix(, 0)
    }},
    {"pooling/window.cl", (const char[]){
#embed "pooling/window.cl" suffix(, 0)
    }},
    {"pooling/tap.cl", (const char[]){
#embed "pooling/tap.cl" suffix(, 0)
    }},
    {"pooling/maximum_tap.cl", (const char[]){
#embed "pooling/maximum_tap.cl" suffix(, 0)
    }},
    {"pooling/maxima.cl", (const char[]){
#embed "pooling/maxima.cl" suffix(, 0)
    }},
    {"pooling/select.cl", (const char[]){
#embed "pooling/select.cl" suffix(, 0)
    }},
    {"pooling/size_tap.cl", (const char[]){
#embed "pooling/size_tap.cl" suffix(, 0)
    }},
    {"pooling/divisor.cl", (const char[]){
#embed "pooling/divisor.cl" suffix(, 0)
    }},
    {"pooling/average_tap.cl", (const char[]){
#embed "pooling/average_tap.cl" suffix(, 0)
    }},
    {"pooling/average.cl", (const char[]){
#embed "pooling/average.cl" suffix(, 0)
    }},
    {"pooling/gradient_planes.cl", (const char[]){
#embed "pooling/gradient_planes.cl" suffix(, 0)
    }},
    {"pooling/gradient_elements.cl", (const char[]){
#embed "pooling/gradient_elements.cl" suffix(, 0)
    }},
    {"pooling/gradient_maximum.cl", (const char[]){
#embed "pooling/gradient_maximum.cl" suffix(, 0)
    }},
    {"pooling/gradient_tap.cl", (const char[]){
#embed "pooling/gradient_tap.cl" suffix(, 0)
    }},
    {"pooling/gradient_average.cl", (const char[]){
#embed "pooling/gradient_average.cl" suffix(, 0)
    }},
    {"attention/weights.h", (const char[]){
#embed "attention/weights.h" suffix(, 0)
    }},
    {"attention/item.cl", (const char[]){
#embed "attention/item.cl" suffix(, 0)
    }},
    {"attention/query_item.cl", (const char[]){
#embed "attention/query_item.cl" suffix(, 0)
    }},
    {"attention/dots.cl", (const char[]){
#embed "attention/dots.cl" suffix(, 0)
    }},
    {"attention/attends.cl", (const char[]){
#embed "attention/attends.cl" suffix(, 0)
    }},
    {"attention/weighted_sum.cl", (const char[]){
#embed "attention/weighted_sum.cl" suffix(, 0)
    }},
    {"attention/forward.cl", (const char[]){
#embed "attention/forward.cl" suffix(, 0)
    }},
    {"attention/queries.cl", (const char[]){
#embed "attention/queries.cl" suffix(, 0)
    }},
    {"attention/keys.cl", (const char[]){
#embed "attention/keys.cl" suffix(, 0)
    }},
    {"attention/matrix_item.cl", (const char[]){
#embed "attention/matrix_item.cl" suffix(, 0)
    }},
    {"attention/matrix_copy.cl", (const char[]){
#embed "attention/matrix_copy.cl" suffix(, 0)
    }},
    {"attention/matrix_products.cl", (const char[]){
#embed "attention/matrix_products.cl" suffix(, 0)
    }},
    {"attention/matrix_sums.cl", (const char[]){
#embed "attention/matrix_sums.cl" suffix(, 0)
    }},
    {"attention/matrix_store.cl", (const char[]){
#embed "attention/matrix_store.cl" suffix(, 0)
    }},
    {"attention/matrix_forward.cl", (const char[]){
#embed "attention/matrix_forward.cl" suffix(, 0)
    }},
    {"attention/matrix_queries.cl", (const char[]){
#embed "attention/matrix_queries.cl" suffix(, 0)
    }},
    {"attention/matrix_keys.cl", (const char[]){
#embed "attention/matrix_keys.cl" suffix(, 0)
    }},
    {"recurrent/cells.h", (const char[]){
#embed "recurrent/cells.h" suffix(, 0)
    }},
    {"recurrent/forward.cl", (const char[]){
#embed "recurrent/forward.cl" suffix(, 0)
    }},
    {"recurrent/forward_plain.cl", (const char[]){
#embed "recurrent/forward_plain.cl" suffix(, 0)
    }},
    {"recurrent/forward_lstm.cl", (const char[]){
#embed "recurrent/forward_lstm.cl" suffix(, 0)
    }},
    {"recurrent/forward_gru.cl", (const char[]){
#embed "recurrent/forward_gru.cl" suffix(, 0)
    }},
    {"recurrent/backward.cl", (const char[]){
#embed "recurrent/backward.cl" suffix(, 0)
    }},
    {"recurrent/backward_plain.cl", (const char[]){
#embed "recurrent/backward_plain.cl" suffix(, 0)
    }},
    {"recurrent/backward_lstm.cl", (const char[]){
#embed "recurrent/backward_lstm.cl" suffix(, 0)
    }},
    {"recurrent/backward_gru.cl", (const char[]){
#embed "recurrent/backward_gru.cl" suffix(, 0)
    }},
    {"index/scatter_owned.cl", (const char[]){
#embed "index/scatter_owned.cl" suffix(, 0)
    }},
    {"index/scatter_searching.cl", (const char[]){
#embed "index/scatter_searching.cl" suffix(, 0)
    }},
    {"index/begin_chains.cl", (const char[]){
#embed "index/begin_chains.cl" suffix(, 0)
    }},
    {"index/end_chain.cl", (const char[]){
#embed "index/end_chain.cl" suffix(, 0)
    }},
    {"index/finish_chains.cl", (const char[]){
#embed "index/finish_chains.cl" suffix(, 0)
    }},
    {"index/owned_add_row.cl", (const char[]){
#embed "index/owned_add_row.cl" suffix(, 0)
    }},
    {"index/owned_add_elements.cl", (const char[]){
#embed "index/owned_add_elements.cl" suffix(, 0)
    }},
    {"index/owned_each_piece.cl", (const char[]){
#embed "index/owned_each_piece.cl" suffix(, 0)
    }},
    {"index/owned_each_element.cl", (const char[]){
#embed "index/owned_each_element.cl" suffix(, 0)
    }},
    {"index/owned_begin.cl", (const char[]){
#embed "index/owned_begin.cl" suffix(, 0)
    }},
    {"index/owned_chain.cl", (const char[]){
#embed "index/owned_chain.cl" suffix(, 0)
    }},
    {"index/owned_total.cl", (const char[]){
#embed "index/owned_total.cl" suffix(, 0)
    }},
    {"index/owned_convert.cl", (const char[]){
#embed "index/owned_convert.cl" suffix(, 0)
    }},
    {"index/segment_sum.cl", (const char[]){
#embed "index/segment_sum.cl" suffix(, 0)
    }},
    {"index/element.cl", (const char[]){
#embed "index/element.cl" suffix(, 0)
    }},
    {"index/add_row.cl", (const char[]){
#embed "index/add_row.cl" suffix(, 0)
    }},
    {"index/gather_row.cl", (const char[]){
#embed "index/gather_row.cl" suffix(, 0)
    }},
    {"index/gather_index.cl", (const char[]){
#embed "index/gather_index.cl" suffix(, 0)
    }},
    {"index/gather_shared.cl", (const char[]){
#embed "index/gather_shared.cl" suffix(, 0)
    }},
    {"index/gather_elements.cl", (const char[]){
#embed "index/gather_elements.cl" suffix(, 0)
    }},
    {"index/row_write.cl", (const char[]){
#embed "index/row_write.cl" suffix(, 0)
    }},
    {"scan/sums.cl", (const char[]){
#embed "scan/sums.cl" suffix(, 0)
    }},
    {"scan/sum_carries.cl", (const char[]){
#embed "scan/sum_carries.cl" suffix(, 0)
    }},
    {"scan/products.cl", (const char[]){
#embed "scan/products.cl" suffix(, 0)
    }},
    {"scan/product_carries.cl", (const char[]){
#embed "scan/product_carries.cl" suffix(, 0)
    }},
    {"scan/chunk.cl", (const char[]){
#embed "scan/chunk.cl" suffix(, 0)
    }},
    {"scan/carry.cl", (const char[]){
#embed "scan/carry.cl" suffix(, 0)
    }},
    {"sort/blocks.cl", (const char[]){
#embed "sort/blocks.cl" suffix(, 0)
    }},
    {"sort/merge.cl", (const char[]){
#embed "sort/merge.cl" suffix(, 0)
    }},
    {"custom/items.cl", (const char[]){
#embed "custom/items.cl" suffix(, 0)
    }},
    {"tuning/pocl_avx512.txt", (const char[]){
#embed "tuning/pocl_avx512.txt" suffix(, 0)
    }},
    {"tuning/intel_avx512.txt", (const char[]){
#embed "tuning/intel_avx512.txt" suffix(, 0)
    }},
};

const char *apus_kernel_text(const char *name) {
  for (size_t index = 0; index < sizeof files / sizeof files[0]; index += 1) {
    if (strcmp(files[index].name, name) == 0) return files[index].text;
  }
  return NULL;
}
