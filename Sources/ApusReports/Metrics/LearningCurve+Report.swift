import ApusData

extension LearningCurve.Spread {
  /// The mean and the deviation, such as `0.1234 ± 0.0056`; for a single run only the mean.
  public var text: String { mean.text(places: 4) + (deviation.map { " ± \($0.text(places: 4))" } ?? "") }
}

extension LearningCurve {
  /// A line for each number of training examples, then the fitted power law, or the reason why there is none.
  public var text: String {
    let lines = points.map {
      "\($0.size.grouped) examples: training error \($0.train.text), validation error \($0.validation.text)"
    }
    return (lines + [fit.text]).joined(separator: "\n")
  }

  public var json: JSON {
    func spread(_ value: Spread) -> JSON {
      var object: JSONObject = ["mean": .number(value.mean)]
      object["deviation"] = value.deviation.map { .number($0) }
      return .object(object)
    }
    return [
      "points": .array(
        points.map { point in
          [
            "examples": .integer(point.size), "train_error": spread(point.train),
            "validation_error": spread(point.validation),
            "runs": .array(
              point.runs.map {
                [
                  "seed": .string(String($0.seed)), "train_error": .number($0.train),
                  "validation_error": .number($0.validation),
                ]
              }),
          ]
        }), "fit": fit.json,
    ]
  }
}

extension PowerLaw.Fit {
  /// The law and the error that it predicts for twice the largest size, or the reason why there is no law.
  public var text: String {
    guard case .law(let fitted) = self else {
      guard case .none(let reason) = self else { return "" }
      return "no power law: \(reason)"
    }
    let law = fitted.law
    let more = fitted.extrapolated()
    let range = more.range.map {
      ", \($0.lowerBound.text(places: 4)) to \($0.upperBound.text(places: 4)) if any one size is left out of the fit"
    }
    return """
      fit: validation error ≈ \(law.asymptote.text(places: 4)) + \(law.scale.text(places: 4)) · n^(−\
      \(law.exponent.text(places: 3))), RMSE \(fitted.residual.text(places: 5)) over \(fitted.pointCount) sizes
      extrapolated to \(Int(more.size).grouped) examples, twice the largest size: \(more.error.text(places: 4))\
      \(range ?? ""); the fitted error at the largest size is \((more.error + more.gain).text(places: 4))
      """
  }

  public var json: JSON {
    switch self {
    case .none(let reason): return ["reason": .string(reason)]
    case .law(let fitted):
      let more = fitted.extrapolated()
      var extrapolation: JSONObject = [
        "examples": .number(more.size), "validation_error": .number(more.error), "gain": .number(more.gain),
      ]
      extrapolation["low"] = more.range.map { .number($0.lowerBound) }
      extrapolation["high"] = more.range.map { .number($0.upperBound) }
      return [
        "asymptote": .number(fitted.law.asymptote), "scale": .number(fitted.law.scale),
        "exponent": .number(fitted.law.exponent), "residual": .number(fitted.residual),
        "sizes": .integer(fitted.pointCount), "extrapolated": .object(extrapolation),
      ]
    }
  }
}
