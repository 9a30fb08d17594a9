"""What makes shipped files: converters, exports, statistics, the manifest."""
