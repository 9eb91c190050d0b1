"""Functions from data to component. The JSX and JS beside them do what only a browser can; each has a wrapper here."""
