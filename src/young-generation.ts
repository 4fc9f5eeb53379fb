/**
 * Keeps V8's space for new objects at the size that it begins with. Imported first by main.ts, before there is much in it.
 *
 * An upload is read in pieces of 64 KB that lie outside of V8's heap and are freed when V8 next looks at its new objects, which
 * is the rarer the larger that space is: 4 GiB peaked at 290 MB resident, with this at the figures of bench/results/uploads.json.
 * Small objects that live a little longer are moved to the old ones instead.
 */
import { setFlagsFromString } from 'node:v8'

setFlagsFromString('--semi-space-growth-factor=1')
