extension Markup {
  /// The CSS rules of a page, without the rules of its drawings.
  static let pageStyle: Markup = .verbatim(
    """
    \(variables(Theme.light))
    @media (prefers-color-scheme:dark){\(variables(Theme.dark))}
    *{box-sizing:border-box}
    html{color-scheme:light dark;-webkit-text-size-adjust:100%;text-size-adjust:100%}
    body{margin:0;background:var(--surface);color:var(--ink);
    font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
    main{max-width:1184px;margin:0 auto;padding:40px 24px 64px}
    h1{font-size:28px;line-height:1.2;margin:0 0 4px;font-weight:650;overflow-wrap:anywhere}
    h2{font-size:19px;line-height:1.3;margin:0 0 4px;font-weight:650;overflow-wrap:anywhere}
    p{margin:4px 0 12px;max-width:72ch;overflow-wrap:anywhere}
    .subtitle,.note{color:var(--muted)}.note{font-size:13px;margin:8px 0 0}
    .facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(132px,1fr));gap:16px;margin:20px 0 0}
    .facts div{border-top:2px solid var(--ink);padding-top:8px}
    .facts dt{color:var(--muted);font-size:13px}
    .facts dd{margin:0;font-size:22px;line-height:1.3;font-weight:600;font-variant-numeric:tabular-nums;
    overflow-wrap:anywhere}
    nav{display:flex;flex-wrap:wrap;gap:4px 20px;margin:28px 0 0;font-size:14px}
    a{color:var(--link);text-underline-offset:3px;text-decoration-thickness:1px}
    section{margin-top:36px;padding-top:20px;border-top:1px solid var(--grid);scroll-margin-top:8px}
    .figures{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:32px 24px;margin-top:14px}
    figure{margin:0;min-width:0}.wide{grid-column:1/-1}
    figcaption{font-weight:600;font-size:14px;margin-bottom:8px;overflow-wrap:anywhere}
    svg.fig{display:block;max-width:100%;height:auto}
    .fig.n,.fig.m{display:none!important}
    .half .fig.m.w{display:block!important}
    .scroll{overflow-x:auto;max-width:100%}svg.fig.natural{max-width:none;width:auto}
    table{border-collapse:collapse;width:max-content;font-size:14px;font-variant-numeric:tabular-nums}
    th{color:var(--muted);font-weight:500;font-size:13px;white-space:nowrap}
    th,td{text-align:left;vertical-align:top;padding:5px 24px 5px 0;border-bottom:1px solid var(--grid)}
    th:last-child,td:last-child{padding-right:0}td{max-width:min(48ch,62vw);overflow-wrap:anywhere}
    .number{text-align:right;white-space:nowrap}
    .images{list-style:none;display:flex;flex-wrap:wrap;gap:14px 12px;margin:0;padding:0}
    .images.rows{gap:14px 36px}.images .row{display:flex;gap:12px;overflow-x:auto}
    .images li{font-size:12px;line-height:1.35;color:var(--muted);overflow-wrap:anywhere}
    .images span{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:3;overflow:hidden}
    .images img{display:block;margin-bottom:4px;image-rendering:pixelated}
    details{margin-top:20px}summary{cursor:pointer;font-size:14px;color:var(--link)}
    @media (max-width:1100px){.wide .fig.w{display:none!important}.wide .fig.m{display:block!important}}
    @media (max-width:900px){.figures{grid-template-columns:minmax(0,1fr)}}
    @media (max-width:600px){main{padding:24px 16px 48px}h1{font-size:24px}section{margin-top:28px}
    .facts{grid-template-columns:repeat(2,minmax(0,1fr));gap:14px 16px}.facts dd{font-size:19px}
    .images.rows .row{flex-wrap:wrap}
    .half .fig.m.w,.wide .fig.m,.wide .fig.w{display:none!important}.fig.n{display:block!important}
    svg.fig.n:not(.natural){width:100%;max-width:440px}th,td{padding-right:16px}}
    @media print{main{max-width:none;padding:0}nav,summary{display:none}h2,section>p{break-after:avoid}
    figure,tr,li,.facts div{break-inside:avoid}.scroll{overflow:visible}svg.fig.natural{max-width:100%}
    .figures{grid-template-columns:repeat(2,minmax(0,1fr));gap:20px 24px}figure:has(table,ul){grid-column:1/-1}
    .half .fig.n,.wide .fig.m{display:block!important}.half .fig.m.w,.wide .fig.n,.wide .fig.w{display:none!important}
    .facts{grid-template-columns:repeat(auto-fit,minmax(84px,1fr))}.facts dd{font-size:16px}}
    """)

  private static func variables(_ colors: Theme.Colors) -> String {
    """
    :root{--surface:\(colors.surface);--ink:\(colors.ink);--muted:\(colors.muted);--grid:\(colors.grid);\
    --link:\(colors.series[0])}
    """
  }
}
