import Apus
import ApusTestSupport

extension ModuleCase {
  /// Dense, bilinear and embedding layers.
  static let linears = [
    ModuleCase("linear", Linear(5, 3)),
    ModuleCase("linear-no-bias", Linear(5, 3, hasBias: false)),
    ModuleCase("bilinear", { Bilinear(3, 4, 2) }, call: { [$0($1[0], $1[1])] }),
    ModuleCase("bilinear-no-bias", { Bilinear(3, 4, 2, hasBias: false) }, call: { [$0($1[0], $1[1])] }),
    ModuleCase("embedding", Embedding(6, 3)),
    ModuleCase("embedding-padding", Embedding(6, 3, paddingIndex: 2)),
    ModuleCase("embedding-given", Embedding(weight: Parameter(.zeros([4, 2])))),
  ]
}
