FROM node:22-slim AS onbuild-base
ONBUILD COPY package.json ./

FROM onbuild-base AS api
COPY packages/shared packages/shared
COPY packages/api packages/api

FROM node:22-slim
COPY --from=api / /
ENTRYPOINT ["node", "packages/api/index.js"]
