/// A page about a run, or about anything else that there are figures of: text, tables and charts in one HTML file that
/// needs nothing from outside. It runs no script and allows none.
public struct Report: Sendable {
  /// A number that stands at the head of the page.
  public struct Fact: Hashable, Sendable {
    /// What it is.
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
    /// What its file is called, without the ending: letters, digits and hyphens.
    public var name: String
    /// What is shown.
    public var chart: any Chart
    /// What stands below it.
    public var note: String?
    /// Whether it takes the whole width of the page, not half of it.
    public var isWide: Bool

    /// A chart under the name of its file.
    public init(_ name: String, _ chart: any Chart, note: String? = nil, isWide: Bool = false) {
      self.name = name
      self.chart = chart
      self.note = note
      self.isWide = isWide
    }
  }

  /// A part of a section.
  public enum Block: Sendable {
    /// A paragraph.
    case text(String)
    /// A chart; those that follow each other stand side by side where there is room.
    case figure(Figure)
    /// What is shown when the reader opens it.
    case details(String, [Block])
  }

  /// A part of the page under a heading.
  public struct Section: Sendable {
    /// The heading.
    public var title: String
    /// Its parts, from the top down.
    public var blocks: [Block]

    /// A section with its parts.
    public init(_ title: String, _ blocks: [Block]) {
      self.title = title
      self.blocks = blocks
    }
  }

  /// The heading of the page.
  public var title: String
  /// What stands below the heading.
  public var subtitle: String
  /// Numbers that say how it went.
  public var facts: [Fact]
  /// The parts.
  public var sections: [Section]

  /// A page with its parts.
  public init(_ title: String, subtitle: String = "", facts: [Fact] = [], sections: [Section] = []) {
    self.title = title
    self.subtitle = subtitle
    self.facts = facts
    self.sections = sections
  }

  /// All charts, also those that are not open.
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
