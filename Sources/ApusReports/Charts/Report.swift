/// Text, tables and charts in one self-contained HTML file, for example about a run. The file contains no scripts, and
/// its content security policy forbids them.
public struct Report: Sendable {
  /// A number at the head of the page.
  public struct Fact: Hashable, Sendable {
    /// The name of the number.
    public var name: String
    /// The number, with its unit.
    public var value: String

    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  /// A chart of a page.
  public struct Figure: Sendable {
    /// The file name of the chart, without the extension: letters, digits and hyphens.
    public var name: String
    /// The chart, which is drawn for the width of the figure.
    public var chart: any Chart
    /// The text below the chart.
    public var note: String?
    /// Whether the chart has the full width of the page instead of half of it.
    public var isWide: Bool

    /// Creates a figure with a file name.
    public init(_ name: String, _ chart: any Chart, note: String? = nil, isWide: Bool = false) {
      self.name = name
      self.chart = chart
      self.note = note
      self.isWide = isWide
    }
  }

  /// A block of a section.
  public enum Block: Sendable {
    /// A paragraph.
    case text(String)
    /// A chart; consecutive charts stand side by side where there is room.
    case figure(Figure)
    /// A summary, and blocks that are hidden until the reader opens them.
    case details(String, [Block])
  }

  /// A section of the page under a heading.
  public struct Section: Sendable {
    /// The heading.
    public var title: String
    /// The blocks, from the top down.
    public var blocks: [Block]

    /// Creates a section of blocks.
    public init(_ title: String, _ blocks: [Block]) {
      self.title = title
      self.blocks = blocks
    }
  }

  /// The heading of the page.
  public var title: String
  /// The text below the heading.
  public var subtitle: String
  /// The most important numbers.
  public var facts: [Fact]
  /// The sections, in the order of the page.
  public var sections: [Section]

  /// Creates a report from its parts.
  public init(_ title: String, subtitle: String = "", facts: [Fact] = [], sections: [Section] = []) {
    self.title = title
    self.subtitle = subtitle
    self.facts = facts
    self.sections = sections
  }

  /// All charts, including those in details.
  public var figures: [Figure] { sections.flatMap { Report.figures(in: $0.blocks) } }

  private static func figures(in blocks: [Block]) -> [Figure] {
    blocks.flatMap { block -> [Figure] in
      switch block {
      case .text: []
      case .figure(let figure): [figure]
      case .details(_, let inner): figures(in: inner)
      }
    }
  }
}
