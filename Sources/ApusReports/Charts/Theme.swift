/// The colors of drawings for light and dark backgrounds. Every rule with a color is written twice, without CSS
/// variables: for light colors, and in a media query for dark colors. Viewers that support neither CSS variables nor
/// media queries show the light colors.
///
/// The hues of series come from Okabe and Ito ("Color universal design", 2008). People with each kind of color
/// blindness can distinguish these hues. A hue is made darker or lighter if it would not stand out from the background.
enum Theme {
  /// The number of colors through which series cycle.
  static let seriesCount = light.series.count

  struct Colors {
    var surface, ink, muted, line, grid, box, heat: String
    var series: [String]
  }

  static let light = Colors(
    surface: "#ffffff", ink: "#1b1f24", muted: "#59636e", line: "#8b949e", grid: "#e3e7eb", box: "#f3f5f7",
    heat: "#0b5394",
    series: ["#0068a8", "#c24a00", "#00795a", "#a8508a", "#8a6300", "#2b8cc4", "#59636e"])

  static let dark = Colors(
    surface: "#0f1318", ink: "#e6eaef", muted: "#9aa4af", line: "#6e7781", grid: "#272e37", box: "#1a2027",
    heat: "#6cb6ff",
    series: ["#56b4e9", "#f08a45", "#35c79b", "#e59ccb", "#e3b341", "#a5d3ff", "#9aa4af"])

  /// Style rules for the CSS classes that drawings use.
  static let style = """
    .fig{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-size:12px}
    .fig text{font-variant-numeric:tabular-nums}
    .fig .end{text-anchor:end}.fig .mid{text-anchor:middle}.fig .small{font-size:10.5px}.fig .tiny{font-size:9px}
    .fig .strong{font-weight:600}.fig .title{font-size:15px;font-weight:600}
    .fig path,.fig line,.fig polyline{fill:none}.fig .px{image-rendering:pixelated}
    .fig .data{stroke-width:1.9;stroke-linejoin:round;stroke-linecap:round}
    .fig .raw{stroke-width:1;stroke-opacity:.3;stroke-linejoin:round}.fig .band{fill:transparent}
    .fig .dots{stroke-linecap:round}.fig .free{pointer-events:none}
    \(rules(light))
    @media (prefers-color-scheme:dark){\(rules(dark))}
    """

  private static func rules(_ colors: Colors) -> String {
    var rules = """
      .fig text{fill:\(colors.ink)}.fig .muted{fill:\(colors.muted)}.fig .bg{fill:\(colors.surface)}\
      .fig .grid{stroke:\(colors.grid)}.fig .axis{stroke:\(colors.line)}.fig .ref{stroke:\(colors.muted)}\
      .fig .outline{fill:none;stroke:\(colors.grid)}.fig .box{fill:\(colors.box);stroke:\(colors.line)}.fig .heat{fill:\(colors.heat)}\
      .fig .onheat{fill:\(colors.surface)}.fig .edge{stroke:\(colors.muted)}.fig .tip{fill:\(colors.muted)}
      """
    for (index, color) in colors.series.enumerated() {
      rules += ".fig .s\(index){stroke:\(color)}.fig .f\(index){fill:\(color)}"
    }
    return rules
  }

  /// The CSS class of the strokes of a series.
  static func stroke(_ series: Int) -> String { "s\(series % seriesCount)" }
  /// The CSS class of the areas of a series.
  static func fill(_ series: Int) -> String { "f\(series % seriesCount)" }
  /// The dash pattern of a series: after the last color, the colors repeat with dashes; `nil` for solid lines.
  static func dashes(_ series: Int) -> String? {
    switch series / seriesCount {
    case 0: nil
    case 1: "6 3"
    case 2: "2 3"
    default: "8 3 2 3"
    }
  }
}
