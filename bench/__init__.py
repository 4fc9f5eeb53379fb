"""Speed, side by side with what a user would pick instead. `npm run bench`; see README.md."""
