#include "kernels.h"

#include <stddef.h>
#include <string.h>

// The embedded files, each ended by a zero.
static const char elementwise_def[] = {
#embed "elementwise.def" suffix(, 0)
};
static const char reduce_def[] = {
#embed "reduce.def" suffix(, 0)
};
static const char prelude_opencl[] = {
#embed "prelude/opencl.h" suffix(, 0)
};
static const char prelude_opencl_lanes[] = {
#embed "prelude/opencl_lanes.h" suffix(, 0)
};
static const char prelude_cuda[] = {
#embed "prelude/cuda.h" suffix(, 0)
};
static const char prelude_math[] = {
#embed "prelude/math.h" suffix(, 0)
};
static const char prelude_hyperbolic[] = {
#embed "prelude/hyperbolic.h" suffix(, 0)
};
static const char prelude_trigonometry[] = {
#embed "prelude/trigonometry.h" suffix(, 0)
};
static const char prelude_normal[] = {
#embed "prelude/normal.h" suffix(, 0)
};
static const char prelude_special[] = {
#embed "prelude/special.h" suffix(, 0)
};
static const char prelude_lane[] = {
#embed "prelude/lane.h" suffix(, 0)
};
static const char prelude_storage[] = {
#embed "prelude/storage.h" suffix(, 0)
};
static const char prelude_random[] = {
#embed "prelude/random.h" suffix(, 0)
};
static const char prelude_winograd[] = {
#embed "prelude/winograd.h" suffix(, 0)
};
static const char prelude_subgroup[] = {
#embed "prelude/subgroup.h" suffix(, 0)
};
static const char probe_subgroup[] = {
#embed "probe/subgroup.cl" suffix(, 0)
};
static const char prelude_rows[] = {
#embed "prelude/rows.h" suffix(, 0)
};
static const char matmul_pack[] = {
#embed "matmul/pack.cl" suffix(, 0)
};
static const char matmul_pack_panel[] = {
#embed "matmul/pack_panel.cl" suffix(, 0)
};
static const char matmul_right[] = {
#embed "matmul/right.cl" suffix(, 0)
};
static const char matmul_pack_transposed[] = {
#embed "matmul/pack_transposed.cl" suffix(, 0)
};
static const char matmul_dot[] = {
#embed "matmul/dot.cl" suffix(, 0)
};
static const char matmul_segment[] = {
#embed "matmul/segment.cl" suffix(, 0)
};
static const char matmul_term[] = {
#embed "matmul/term.cl" suffix(, 0)
};
static const char matmul_terms[] = {
#embed "matmul/terms.cl" suffix(, 0)
};
static const char matmul_terms_along[] = {
#embed "matmul/terms_along.cl" suffix(, 0)
};
static const char matmul_terms_across[] = {
#embed "matmul/terms_across.cl" suffix(, 0)
};
static const char matmul_vector[] = {
#embed "matmul/vector.cl" suffix(, 0)
};
static const char matmul_tile_fetch[] = {
#embed "matmul/tile_fetch.cl" suffix(, 0)
};
static const char matmul_tile_store[] = {
#embed "matmul/tile_store.cl" suffix(, 0)
};
static const char matmul_tiled[] = {
#embed "matmul/tiled.cl" suffix(, 0)
};
static const char convolution_image[] = {
#embed "convolution/image.cl" suffix(, 0)
};
static const char convolution_weights[] = {
#embed "convolution/weights.cl" suffix(, 0)
};
static const char convolution_vector[] = {
#embed "convolution/vector.cl" suffix(, 0)
};
static const char convolution_gradient[] = {
#embed "convolution/gradient.cl" suffix(, 0)
};
static const char convolution_pixel_tile[] = {
#embed "convolution/pixel_tile.cl" suffix(, 0)
};
static const char convolution_pixel_tap[] = {
#embed "convolution/pixel_tap.cl" suffix(, 0)
};
static const char convolution_pixel_gradient[] = {
#embed "convolution/pixel_gradient.cl" suffix(, 0)
};
static const char convolution_turn_weights[] = {
#embed "convolution/turn_weights.cl" suffix(, 0)
};
static const char convolution_weight_sums[] = {
#embed "convolution/weight_sums.cl" suffix(, 0)
};
static const char convolution_winograd[] = {
#embed "convolution/winograd.cl" suffix(, 0)
};
static const char convolution_winograd_tile[] = {
#embed "convolution/winograd_tile.cl" suffix(, 0)
};
static const char convolution_winograd_patches[] = {
#embed "convolution/winograd_patches.cl" suffix(, 0)
};
static const char convolution_winograd_weights[] = {
#embed "convolution/winograd_weights.cl" suffix(, 0)
};
static const char convolution_winograd_gradients[] = {
#embed "convolution/winograd_gradients.cl" suffix(, 0)
};
static const char convolution_winograd_products[] = {
#embed "convolution/winograd_products.cl" suffix(, 0)
};
static const char convolution_winograd_sums[] = {
#embed "convolution/winograd_sums.cl" suffix(, 0)
};
static const char copy_turn[] = {
#embed "copy/turn.cl" suffix(, 0)
};
static const char pooling_window[] = {
#embed "pooling/window.cl" suffix(, 0)
};
static const char pooling_tap[] = {
#embed "pooling/tap.cl" suffix(, 0)
};
static const char pooling_scatter[] = {
#embed "pooling/scatter.cl" suffix(, 0)
};
static const char pooling_gather[] = {
#embed "pooling/gather.cl" suffix(, 0)
};
static const char attention_forward[] = {
#embed "attention/forward.cl" suffix(, 0)
};
static const char attention_queries[] = {
#embed "attention/queries.cl" suffix(, 0)
};
static const char attention_keys[] = {
#embed "attention/keys.cl" suffix(, 0)
};
static const char recurrent_forward[] = {
#embed "recurrent/forward.cl" suffix(, 0)
};
static const char recurrent_forward_plain[] = {
#embed "recurrent/forward_plain.cl" suffix(, 0)
};
static const char recurrent_forward_lstm[] = {
#embed "recurrent/forward_lstm.cl" suffix(, 0)
};
static const char recurrent_forward_gru[] = {
#embed "recurrent/forward_gru.cl" suffix(, 0)
};
static const char recurrent_backward[] = {
#embed "recurrent/backward.cl" suffix(, 0)
};
static const char recurrent_backward_plain[] = {
#embed "recurrent/backward_plain.cl" suffix(, 0)
};
static const char recurrent_backward_lstm[] = {
#embed "recurrent/backward_lstm.cl" suffix(, 0)
};
static const char recurrent_backward_gru[] = {
#embed "recurrent/backward_gru.cl" suffix(, 0)
};
static const char index_scatter_owned[] = {
#embed "index/scatter_owned.cl" suffix(, 0)
};
static const char index_scatter_searching[] = {
#embed "index/scatter_searching.cl" suffix(, 0)
};
static const char index_end_chain[] = {
#embed "index/end_chain.cl" suffix(, 0)
};
static const char index_owned_chain[] = {
#embed "index/owned_chain.cl" suffix(, 0)
};
static const char index_owned_settle[] = {
#embed "index/owned_settle.cl" suffix(, 0)
};
static const char index_segment_sum[] = {
#embed "index/segment_sum.cl" suffix(, 0)
};
static const char scan_sums[] = {
#embed "scan/sums.cl" suffix(, 0)
};
static const char scan_sum_carries[] = {
#embed "scan/sum_carries.cl" suffix(, 0)
};
static const char scan_products[] = {
#embed "scan/products.cl" suffix(, 0)
};
static const char scan_product_carries[] = {
#embed "scan/product_carries.cl" suffix(, 0)
};
static const char sort_blocks[] = {
#embed "sort/blocks.cl" suffix(, 0)
};
static const char sort_merge[] = {
#embed "sort/merge.cl" suffix(, 0)
};
static const char custom_items[] = {
#embed "custom/items.cl" suffix(, 0)
};
static const char tuning_pocl_avx512[] = {
#embed "tuning/pocl_avx512.txt" suffix(, 0)
};
static const char tuning_intel_avx512[] = {
#embed "tuning/intel_avx512.txt" suffix(, 0)
};

static const struct {
  const char *name;
  const char *text;
} files[] = {
    {"elementwise.def", elementwise_def},
    {"reduce.def", reduce_def},
    {"prelude/opencl.h", prelude_opencl},
    {"prelude/opencl_lanes.h", prelude_opencl_lanes},
    {"prelude/cuda.h", prelude_cuda},
    {"prelude/math.h", prelude_math},
    {"prelude/hyperbolic.h", prelude_hyperbolic},
    {"prelude/trigonometry.h", prelude_trigonometry},
    {"prelude/normal.h", prelude_normal},
    {"prelude/special.h", prelude_special},
    {"prelude/lane.h", prelude_lane},
    {"prelude/storage.h", prelude_storage},
    {"prelude/random.h", prelude_random},
    {"prelude/winograd.h", prelude_winograd},
    {"prelude/subgroup.h", prelude_subgroup},
    {"probe/subgroup.cl", probe_subgroup},
    {"prelude/rows.h", prelude_rows},
    {"matmul/pack.cl", matmul_pack},
    {"matmul/pack_panel.cl", matmul_pack_panel},
    {"matmul/pack_transposed.cl", matmul_pack_transposed},
    {"matmul/right.cl", matmul_right},
    {"matmul/dot.cl", matmul_dot},
    {"matmul/segment.cl", matmul_segment},
    {"matmul/term.cl", matmul_term},
    {"matmul/terms.cl", matmul_terms},
    {"matmul/terms_along.cl", matmul_terms_along},
    {"matmul/terms_across.cl", matmul_terms_across},
    {"matmul/vector.cl", matmul_vector},
    {"matmul/tiled.cl", matmul_tiled},
    {"matmul/tile_fetch.cl", matmul_tile_fetch},
    {"matmul/tile_store.cl", matmul_tile_store},
    {"convolution/image.cl", convolution_image},
    {"convolution/weights.cl", convolution_weights},
    {"convolution/vector.cl", convolution_vector},
    {"convolution/gradient.cl", convolution_gradient},
    {"convolution/pixel_tile.cl", convolution_pixel_tile},
    {"convolution/pixel_tap.cl", convolution_pixel_tap},
    {"convolution/pixel_gradient.cl", convolution_pixel_gradient},
    {"convolution/turn_weights.cl", convolution_turn_weights},
    {"convolution/weight_sums.cl", convolution_weight_sums},
    {"convolution/winograd.cl", convolution_winograd},
    {"convolution/winograd_tile.cl", convolution_winograd_tile},
    {"convolution/winograd_patches.cl", convolution_winograd_patches},
    {"convolution/winograd_weights.cl", convolution_winograd_weights},
    {"convolution/winograd_gradients.cl", convolution_winograd_gradients},
    {"convolution/winograd_products.cl", convolution_winograd_products},
    {"convolution/winograd_sums.cl", convolution_winograd_sums},
    {"copy/turn.cl", copy_turn},
    {"pooling/window.cl", pooling_window},
    {"pooling/tap.cl", pooling_tap},
    {"pooling/scatter.cl", pooling_scatter},
    {"pooling/gather.cl", pooling_gather},
    {"attention/forward.cl", attention_forward},
    {"attention/queries.cl", attention_queries},
    {"attention/keys.cl", attention_keys},
    {"recurrent/forward.cl", recurrent_forward},
    {"recurrent/forward_plain.cl", recurrent_forward_plain},
    {"recurrent/forward_lstm.cl", recurrent_forward_lstm},
    {"recurrent/forward_gru.cl", recurrent_forward_gru},
    {"recurrent/backward.cl", recurrent_backward},
    {"recurrent/backward_plain.cl", recurrent_backward_plain},
    {"recurrent/backward_lstm.cl", recurrent_backward_lstm},
    {"recurrent/backward_gru.cl", recurrent_backward_gru},
    {"index/scatter_owned.cl", index_scatter_owned},
    {"index/scatter_searching.cl", index_scatter_searching},
    {"index/end_chain.cl", index_end_chain},
    {"index/owned_chain.cl", index_owned_chain},
    {"index/owned_settle.cl", index_owned_settle},
    {"index/segment_sum.cl", index_segment_sum},
    {"scan/sums.cl", scan_sums},
    {"scan/sum_carries.cl", scan_sum_carries},
    {"scan/products.cl", scan_products},
    {"scan/product_carries.cl", scan_product_carries},
    {"sort/blocks.cl", sort_blocks},
    {"sort/merge.cl", sort_merge},
    {"custom/items.cl", custom_items},
    {"tuning/pocl_avx512.txt", tuning_pocl_avx512},
    {"tuning/intel_avx512.txt", tuning_intel_avx512},
};

const char *apus_kernel_text(const char *name) {
  for (size_t index = 0; index < sizeof files / sizeof files[0]; index += 1) {
    if (strcmp(files[index].name, name) == 0) return files[index].text;
  }
  return NULL;
}
