"""The app's own components, each a folder with its JavaScript and CSS."""
