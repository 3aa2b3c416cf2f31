/// A position in a drawing.
struct Pixel: Hashable, Sendable {
  var x, y: Double
}

extension [Pixel] {
  /// The points that determine how a line through all points looks: in each column of pixels the first, the lowest,
  /// the highest and the last (Jugel, Jerzak, Hackenbroich, Markl: "M4: a visualization-oriented time series data
  /// aggregation", 2014). The order is preserved, and no extreme is lost.
  func thinned(columnWidth: Double = 1) -> [Pixel] {
    guard count > 4 else { return self }
    var result: [Pixel] = []
    var begin = 0
    while begin < count {
      let column = (self[begin].x / columnWidth).rounded(.down)
      var (end, low, high) = (begin + 1, begin, begin)
      while end < count, (self[end].x / columnWidth).rounded(.down) == column {
        if self[end].y < self[low].y { low = end }
        if self[end].y > self[high].y { high = end }
        end += 1
      }
      var last = -1
      for index in [begin, Swift.min(low, high), Swift.max(low, high), end - 1] where index > last {
        result.append(self[index])
        last = index
      }
      begin = end
    }
    return result
  }

  /// The commands of a path through the points.
  var path: String {
    var text = ""
    for (index, point) in enumerated() {
      text += "\(index == 0 ? "M" : "L")\(tenth(point.x)) \(tenth(point.y))"
    }
    return text
  }

  /// The commands of a path that draws a dot at each point.
  var dots: String {
    reduce(into: "") { $0 += "M\(tenth($1.x)) \(tenth($1.y))h0" }
  }

  private func tenth(_ value: Double) -> String { ((value * 10).rounded() / 10).coordinate }
}
