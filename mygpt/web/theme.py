"""How MyGPT looks: colours by role, type, space, radii and the one shadow.

Everything else names a role (`var(--fg-muted)`, `text-fg-muted`), never a colour. Light and dark are tuned apart:
in the dark, what is raised is lighter.
"""

from reflex.plugins import TailwindV4Plugin

LIGHT = {
    "bg": "oklch(0.995 0.001 265)",
    "bg-raised": "oklch(1 0 0)",
    "bg-sunken": "oklch(0.97 0.004 265)",
    "bg-hover": "oklch(0.94 0.006 265)",
    "bubble": "oklch(0.955 0.008 265)",
    "fg": "oklch(0.235 0.018 265)",
    "fg-muted": "oklch(0.495 0.018 265)",
    "border": "oklch(0.91 0.007 265)",
    "border-strong": "oklch(0.63 0.014 265)",
    "accent": "oklch(0.5 0.18 268)",
    "accent-hover": "oklch(0.44 0.18 268)",
    "accent-fg": "oklch(0.99 0.004 268)",
    "danger": "oklch(0.52 0.19 27)",
    "warning": "oklch(0.52 0.11 65)",
    "success": "oklch(0.5 0.12 152)",
    "focus": "oklch(0.56 0.19 268)",
    "scrim": "oklch(0.2 0.02 265 / 0.4)",
    "shadow": "0 1px 2px oklch(0.2 0.02 265 / 0.05), 0 8px 28px oklch(0.2 0.02 265 / 0.09)",
}
DARK = {
    "bg": "oklch(0.2 0.008 265)",
    "bg-raised": "oklch(0.25 0.01 265)",
    "bg-sunken": "oklch(0.17 0.008 265)",
    "bg-hover": "oklch(0.285 0.012 265)",
    "bubble": "oklch(0.27 0.014 265)",
    "fg": "oklch(0.93 0.006 265)",
    "fg-muted": "oklch(0.71 0.012 265)",
    "border": "oklch(0.315 0.012 265)",
    "border-strong": "oklch(0.56 0.016 265)",
    "accent": "oklch(0.73 0.13 272)",
    "accent-hover": "oklch(0.8 0.11 272)",
    "accent-fg": "oklch(0.18 0.03 272)",
    "danger": "oklch(0.73 0.15 25)",
    "warning": "oklch(0.79 0.12 75)",
    "success": "oklch(0.76 0.13 155)",
    "focus": "oklch(0.73 0.14 272)",
    "scrim": "oklch(0.08 0.01 265 / 0.6)",
    "shadow": "0 1px 2px oklch(0 0 0 / 0.3), 0 10px 32px oklch(0 0 0 / 0.45)",
}
# Streamdown's own names for the same roles
ALIASES = {
    "background": "bg",
    "foreground": "fg",
    "card": "bg-raised",
    "card-foreground": "fg",
    "muted": "bg-sunken",
    "muted-foreground": "fg-muted",
    "input": "border",
    "primary": "accent",
    "primary-foreground": "accent-fg",
    "sidebar": "bg-sunken",
}
MEASURES = {
    "radius": "8px",  # controls
    "radius-card": "12px",
    "radius-soft": "20px",  # composer and the person's bubble
    "sidebar-width": "264px",
    "header": "48px",
    "column": "46rem",
}
TYPE = {
    "sm": ("0.8125rem", "1.25rem"),
    "base": ("1rem", "1.625rem"),
    "lg": ("1.25rem", "1.75rem"),
    "xl": ("1.75rem", "2.25rem"),
}
FRAME = {"light": "#f5f6f8", "dark": "#0c0e12"}  # the browser's own frame knows only plain colours
NARROW_PX = 900  # below it the sidebar is a drawer; shell.jsx and assets/mygpt.css hold the same figure

SOURCES = [
    "./app/**/*.{js,ts,jsx,tsx}",
    "./app_components/**/*.{js,jsx}",
    "./utils/**/*.{js,ts,jsx,tsx}",
    "./components/**/*.{js,jsx}",
    "./public/external/**/*.jsx",
    "./node_modules/streamdown/dist/*.js",
]


def variables() -> str:
    """Return the stylesheet of the tokens as CSS variables, for the head of every page."""
    root = LIGHT | {name: f"var(--{role})" for name, role in ALIASES.items()} | MEASURES
    return f":root{{{_declarations(root)}}}.dark{{{_declarations(DARK)}}}"


def tailwind() -> TailwindV4Plugin:
    """Return the Tailwind plugin whose classes stand on the same tokens."""
    colours = [name for name in LIGHT if name != "shadow"] + list(ALIASES)
    return TailwindV4Plugin(
        {
            "darkMode": "class",  # without it code colours follow the system, not the page
            "content": SOURCES,
            "theme": {
                "extend": {
                    "colors": {name: f"var(--{name})" for name in colours},
                    "fontSize": {name: [size, height] for name, (size, height) in TYPE.items()},
                    "borderRadius": {
                        "control": "var(--radius)",
                        "card": "var(--radius-card)",
                        "soft": "var(--radius-soft)",
                    },
                    "boxShadow": {"float": "var(--shadow)"},
                    "maxWidth": {"column": "var(--column)"},
                }
            },
        }
    )


def _declarations(values: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in values.items())
