"""Functions from data to component. The JSX and JS beside them do what only a browser can; each file has a wrapper here."""
