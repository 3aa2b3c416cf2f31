/// A layer that gives a linear function of its input plus a bias: `W x + b`, however the weights are arranged.
package protocol AffineLayer: Layer {}

extension Linear: AffineLayer {}
extension Convolution: AffineLayer {}
extension TransposedConvolution: AffineLayer {}
